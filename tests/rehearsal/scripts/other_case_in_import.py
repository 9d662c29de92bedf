#: main = "train.py"
#: epochs = 3
#: batch = 64
#: optimizer = "Adam()"
#: lr = "0.001"
import torch
from torch import nn
from Model import CNN
from torchvision import datasets, transforms
t = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
loader = torch.utils.data.DataLoader(datasets.MNIST("data", train=True, transform=t, download=True), 64, shuffle=True)
m = CNN()
o = torch.optim.Adam(m.parameters())
for _ in range(3):
    for x, y in loader:
        o.zero_grad()
        nn.functional.cross_entropy(m(x), y).backward()
        o.step()
#=== model.py
import torch.nn as nn
class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 10, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(10), nn.Dropout(0.1),
            nn.Conv2d(10, 16, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(16), nn.Dropout(0.1),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 16, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(16),
            nn.AdaptiveAvgPool2d(1),
        )
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(self.features(x).flatten(1))
