#: main = "src/main.py"
#: epochs = 6
#: batch = 64
#: optimizer = "SGD(momentum=0.9)"
#: lr = "0.02"
#: network_file = "src/models/small.py"
import sys
sys.path.append('.')
import torch
from torch import optim, nn
from src.models.small import Small
from src.engine import fit
from torchvision import datasets, transforms


def main():
    t = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    loader = torch.utils.data.DataLoader(datasets.MNIST("data", train=True, transform=t, download=True), 64, shuffle=True)
    model = Small()
    fit(model, loader, optim.SGD(model.parameters(), lr=0.02, momentum=0.9), nn.CrossEntropyLoss(), 6)


if __name__ == "__main__":
    main()
#=== src/__init__.py
#=== src/engine.py
def fit(model, loader, optimizer, criterion, epochs):
    for epoch in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
#=== src/models/__init__.py
from .small import Small
#=== src/models/small.py
import torch.nn as nn

def conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            conv(1, 8), conv(8, 8), nn.MaxPool2d(2),
            conv(8, 16), nn.Dropout(0.05), nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 10))

    def forward(self, x):
        return self.net(x)
