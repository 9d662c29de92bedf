#: editor = "jupyter"
#: refused = ["loss"]
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
train_loader = torch.utils.data.DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = torch.utils.data.DataLoader(test_set, batch_size=1000, shuffle=False)
class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 8, 3)
        self.a, self.b = nn.Linear(8, 10), nn.Linear(8, 2)
    def forward(self, x):
        h = F.relu(self.c(x)).mean((2, 3))
        return self.a(h), self.b(h)
model = TwoHeads()
opt = optim.SGD(model.parameters(), lr=.05)
# %%
for e in range(3):
    for x, y in train_loader:
        opt.zero_grad()
        digit, parity = model(x)
        loss = F.cross_entropy(digit, y) + F.cross_entropy(parity, y % 2)
        loss.backward()
        opt.step()
