#: editor = "jupyter"
#: refused = ["images"]
#: at = ""
# %%
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
transform = transforms.Compose([
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))
])
train_set = datasets.MNIST('./data', train=True, download=True, transform=transform)
test_set = datasets.MNIST('./data', train=False, download=True, transform=transform)
train_loader = torch.utils.data.DataLoader(train_set, batch_size=128, shuffle=True)
test_loader = torch.utils.data.DataLoader(test_set, batch_size=1000, shuffle=False)
class RGB(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 8, 3); self.b = nn.BatchNorm2d(8); self.f = nn.Linear(8, 10)
    def forward(self, x):
        return self.f(F.relu(self.b(self.c(x))).mean((2, 3)))
m = RGB(); o = optim.Adam(m.parameters())
# %%
for e in range(2):
    for x, y in train_loader:
        o.zero_grad()
        F.cross_entropy(m(x.repeat(1, 3, 1, 1)), y).backward()
        o.step()
