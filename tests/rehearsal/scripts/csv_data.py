#: refused = ["train.csv"]
#: at = "pd.read_csv"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
import pandas as pd
from torch.utils.data import TensorDataset
df = pd.read_csv("../input/digit-recognizer/train.csv")
y = torch.tensor(df["label"].values)
X = torch.tensor(df.drop("label", axis=1).values).float().view(-1, 1, 28, 28) / 255
train_loader = DataLoader(TensorDataset(X, y), batch_size=64, shuffle=True)
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
opt = optim.Adam(model.parameters())
for epoch in range(10):
    for a, b in train_loader:
        opt.zero_grad()
        loss = F.cross_entropy(model(a), b)
        loss.backward()
        opt.step()
