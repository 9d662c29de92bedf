#: refused = ["Cutout"]
#: at = "Cutout"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
import random
class Cutout:
    def __init__(self, size=6):
        self.size = size
    def __call__(self, img):
        h, w = img.shape[1:]
        y, x = random.randrange(h), random.randrange(w)
        img[:, max(0, y - self.size // 2):y + self.size // 2, max(0, x - self.size // 2):x + self.size // 2] = 0
        return img
tf = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,)), Cutout(8)])
train_loader = DataLoader(datasets.MNIST("data", train=True, download=True, transform=tf), 128, shuffle=True)
class Net(nn.Module):
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
model = Net().to(device)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for epoch in range(5):
    for x, y in train_loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
