#: epochs = 5
#: batch = 256
#: optimizer = "Adam()"
#: lr = "0.005"
#: transform = "ToTensor()"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
from torch.utils.data import TensorDataset
raw = datasets.MNIST("data", train=True, download=True)
images = raw.data.float().unsqueeze(1) / 255
train_loader = DataLoader(TensorDataset(images, raw.targets), batch_size=256, shuffle=True)
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
opt = optim.Adam(model.parameters(), 0.005)
for e in range(5):
    for xb, yb in train_loader:
        loss = F.cross_entropy(model(xb.to(device)), yb.to(device))
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(e, loss.item())
