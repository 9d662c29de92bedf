#: editor = "colab"
#: refused = ["datasets"]
#: at = ""
# %%
import torch, torch.nn as nn, torch.nn.functional as F
from datasets import load_dataset
from torch.utils.data import DataLoader
ds = load_dataset("mnist").with_format("torch")
train_loader = DataLoader(ds["train"], batch_size=64, shuffle=True)
# %%
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
model = Net()
opt = torch.optim.Adam(model.parameters())
for e in range(3):
    for batch in train_loader:
        opt.zero_grad()
        F.cross_entropy(model(batch["image"].float() / 255), batch["label"]).backward()
        opt.step()
