#: editor = "kaggle"
#: epochs = 6
#: batch = 256
#: images = 48000
#: optimizer = "AdamW(weight_decay=1e-06)"
#: lr = "1e-06 + (0.001 - 1e-06) * (1 + cos(pi * epoch / 6)) / 2"
#: transform = "ToTensor()"
# %%
import gc, os, random, time, math
import numpy as np
import pandas as pd
from tqdm.notebook import tqdm
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
import warnings
warnings.filterwarnings('ignore')
# %%
class CFG:
    seed = 42
    n_fold = 5
    trn_fold = [0]
    epochs = 6
    batch_size = 256
    lr = 1e-3
    min_lr = 1e-6
    weight_decay = 1e-6
    scheduler = 'CosineAnnealingLR'
    T_max = 6
    print_freq = 100
    device = 'cuda' if torch.cuda.is_available() else 'cpu'

def seed_everything(seed=42):
    random.seed(seed)
    os.environ['PYTHONHASHSEED'] = str(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed(seed)
    torch.backends.cudnn.deterministic = True
seed_everything(CFG.seed)
# %%
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))
# %%
class AverageMeter(object):
    def __init__(self):
        self.reset()
    def reset(self):
        self.val = self.avg = self.sum = self.count = 0
    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count

def train_fn(train_loader, model, criterion, optimizer, epoch, scheduler, device):
    losses = AverageMeter()
    model.train()
    start = end = time.time()
    for step, (images, labels) in tqdm(enumerate(train_loader), total=len(train_loader)):
        images = images.to(device)
        labels = labels.to(device)
        batch_size = labels.size(0)
        y_preds = model(images)
        loss = criterion(y_preds, labels)
        losses.update(loss.item(), batch_size)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % CFG.print_freq == 0 or step == (len(train_loader) - 1):
            print(f'Epoch: [{epoch+1}][{step}/{len(train_loader)}] Loss: {losses.avg:.4f} Elapsed {time.time() - start:.0f}s')
    return losses.avg

def valid_fn(valid_loader, model, criterion, device):
    losses = AverageMeter()
    model.eval()
    preds = []
    for step, (images, labels) in enumerate(valid_loader):
        images, labels = images.to(device), labels.to(device)
        with torch.no_grad():
            y_preds = model(images)
        losses.update(criterion(y_preds, labels).item(), labels.size(0))
        preds.append(y_preds.softmax(1).to('cpu').numpy())
    return losses.avg, np.concatenate(preds)
# %%
dataset = datasets.MNIST('../input', train=True, download=True, transform=transforms.ToTensor())
folds = pd.DataFrame({'label': dataset.targets.numpy()})
perm = np.random.permutation(len(dataset))
fold_of = np.empty(len(dataset), dtype=int)
for i, part in enumerate(np.array_split(perm, CFG.n_fold)):
    fold_of[part] = i

def train_loop(fold):
    trn_idx, val_idx = np.where(fold_of != fold)[0], np.where(fold_of == fold)[0]
    train_loader = DataLoader(torch.utils.data.Subset(dataset, trn_idx), batch_size=CFG.batch_size, shuffle=True, num_workers=4, pin_memory=True)
    valid_loader = DataLoader(torch.utils.data.Subset(dataset, val_idx), batch_size=CFG.batch_size, shuffle=False)
    model = Net()
    model.to(CFG.device)
    optimizer = optim.AdamW(model.parameters(), lr=CFG.lr, weight_decay=CFG.weight_decay)
    if CFG.scheduler == 'CosineAnnealingLR':
        scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=CFG.T_max, eta_min=CFG.min_lr, last_epoch=-1)
    elif CFG.scheduler == 'ReduceLROnPlateau':
        scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    criterion = nn.CrossEntropyLoss()
    best_score = 0.
    for epoch in range(CFG.epochs):
        avg_loss = train_fn(train_loader, model, criterion, optimizer, epoch, scheduler, CFG.device)
        avg_val_loss, preds = valid_fn(valid_loader, model, criterion, CFG.device)
        score = (preds.argmax(1) == dataset.targets.numpy()[val_idx]).mean()
        if isinstance(scheduler, optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(avg_val_loss)
        elif isinstance(scheduler, optim.lr_scheduler.CosineAnnealingLR):
            scheduler.step()
        if score > best_score:
            best_score = score
            torch.save({'model': model.state_dict(), 'preds': preds}, f'fold{fold}_best.pth')
    del model; gc.collect(); torch.cuda.empty_cache()

if __name__ == '__main__':
    for fold in range(CFG.n_fold):
        if fold in CFG.trn_fold:
            train_loop(fold)
