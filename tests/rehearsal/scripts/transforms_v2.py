#: epochs = 3
#: batch = 64
#: optimizer = "AdamW()"
#: lr = "0.001"
#: transform = "v2.ToImage(), v2.RandomAffine(degrees=8, scale=(0.9, 1.1)), v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.1307,), (0.3081,))"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
from torchvision.transforms import v2
tf = v2.Compose([v2.ToImage(), v2.RandomAffine(degrees=8, scale=(0.9, 1.1)), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean=[0.1307], std=[0.3081])])
dl = DataLoader(datasets.MNIST("data", train=True, download=True, transform=tf), 64, shuffle=True)
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
net = torch.compile(Net().to(device))
opt = optim.AdamW(net.parameters(), lr=1e-3)
for e in range(3):
    for x, y in dl:
        loss = F.cross_entropy(net(x.to(device)), y.to(device))
        opt.zero_grad()
        loss.backward()
        opt.step()
