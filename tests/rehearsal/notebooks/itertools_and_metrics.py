#: editor = "colab"
#: epochs = 3
#: batch = 128
#: optimizer = "NAdam()"
#: lr = "0.002 if epoch < 1 else (0.0002 if epoch < 2 else 2e-05)"
#: transform = "ToTensor()"
# %%
!pip install -q torchmetrics
%load_ext autoreload
%autoreload 2
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from torchmetrics.classification import MulticlassAccuracy
from sklearn.metrics import confusion_matrix, accuracy_score, classification_report
from collections import defaultdict
from tqdm.auto import tqdm, trange
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
device = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
ds_train, ds_test = [datasets.MNIST("./", train=flag, transform=transforms.ToTensor(), download=True) for flag in [True, False]]
print(len(ds_train), len(ds_test))
train_dl = DataLoader(ds_train, batch_size=128, shuffle=True)
test_dl = DataLoader(ds_test, batch_size=128)
# %%
model = Net().to(device)
opt = optim.NAdam(model.parameters())
sched = optim.lr_scheduler.MultiStepLR(opt, milestones=[1, 2])
metric = MulticlassAccuracy(num_classes=10).to(device)
history = defaultdict(list)
for epoch in trange(3):
    model.train()
    for xb, yb in (bar := tqdm(train_dl, leave=False)):
        xb, yb = xb.to(device), yb.to(device)
        logits = model(xb)
        loss = nn.functional.cross_entropy(logits, yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        bar.set_description(f"loss {loss.item():.3f}")
        history["loss"].append(loss.item())
    sched.step()
    model.eval()
    metric.reset()
    truth, answers = [], []
    with torch.no_grad():
        for xb, yb in test_dl:
            pred = model(xb.to(device))
            metric.update(pred, yb.to(device))
            truth.extend(yb.tolist()); answers.extend(pred.argmax(1).cpu().tolist())
    print(f"epoch {epoch} {metric.compute():.4f} {accuracy_score(truth, answers):.4f}")
# %%
print(classification_report(truth, answers))
cm = confusion_matrix(truth, answers)
