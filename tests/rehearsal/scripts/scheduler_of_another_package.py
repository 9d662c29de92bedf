#: refused = ["optimizer is given to warmup_scheduler.GradualWarmupScheduler", "torch.optim.lr_scheduler"]
#: at = "= GradualWarmupScheduler("
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from warmup_scheduler import GradualWarmupScheduler

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


loader = DataLoader(datasets.MNIST("data", download=True, transform=transforms.ToTensor()), 100, shuffle=True)
EPOCHS = 4
model = Net()
optimizer = optim.SGD(model.parameters(), lr=0.1)
after = optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
scheduler = GradualWarmupScheduler(optimizer, multiplier=1, total_epoch=2, after_scheduler=after)
for epoch in range(EPOCHS):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    scheduler.step()
