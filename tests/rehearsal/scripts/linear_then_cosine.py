#: oracle = true
#: epochs = 10
#: batch = 256
#: optimizer = "AdamW(weight_decay=0.05)"
#: lr = "0.01 * (0.1 + 0.9 * epoch / 2) if epoch < 2 else cosine(epoch - 2, 8, 0.01)"
#: arguments = [12, 0.1]
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
transform = transforms.Compose([
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))
])
train_set = datasets.MNIST('./data', train=True, download=True, transform=transform)
test_set = datasets.MNIST('./data', train=False, download=True, transform=transform)
train_loader = torch.utils.data.DataLoader(train_set, batch_size=256, shuffle=True)
test_loader = torch.utils.data.DataLoader(test_set, batch_size=1000, shuffle=False)
class Net(nn.Module):
    def __init__(self, width, dropout, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(2 * width)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(torch.relu(self.norm2(self.conv2(x))), 2)
        x = x.mean(dim=(2, 3))
        return self.fc(self.dropout(x))
def run_epoch(model, loader, criterion, optimizer=None):
    training = optimizer is not None
    model.train(training)
    total, right, count = 0.0, 0, 0
    with torch.set_grad_enabled(training):
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            scores = model(images)
            loss = criterion(scores, labels)
            if training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item() * len(labels)
            right += (scores.argmax(1) == labels).sum().item()
            count += len(labels)
    return total / count, right / count
net = Net(12, 0.1).to(device)
opt = optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.05)
sched = SequentialLR(opt, [LinearLR(opt, start_factor=0.1, total_iters=2), CosineAnnealingLR(opt, T_max=8)], milestones=[2])
loss = nn.CrossEntropyLoss()
for epoch in range(10):
    tr = run_epoch(net, train_loader, loss, opt)
    te = run_epoch(net, test_loader, loss)
    print(f"{epoch} train {tr[1]:.4f} test {te[1]:.4f} lr {sched.get_last_lr()}")
    sched.step()
