#: refused = ["ReduceLROnPlateau", "set by hand"]
#: at = "= optim.lr_scheduler.ReduceLROnPlateau("
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).mean((2, 3)))


to_tensor = transforms.ToTensor()
train_loader = DataLoader(datasets.MNIST("data", True, to_tensor, download=True), 128, shuffle=True)
test_loader = DataLoader(datasets.MNIST("data", False, to_tensor), 1000)
model = Net()
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)


def test():
    model.eval()
    with torch.no_grad():
        return sum(F.cross_entropy(model(x), y).item() for x, y in test_loader) / len(test_loader)


for epoch in range(4):
    if epoch < 2:
        optimizer.param_groups[0]["lr"] = 0.05 * (epoch + 1)
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    scheduler.step(test())
