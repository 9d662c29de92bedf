#: refused = ["loss"]
#: at = ""
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
G = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 784), nn.Tanh()).to(device)
D = nn.Sequential(nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Sigmoid()).to(device)
loader = DataLoader(datasets.MNIST("data", train=True, download=True, transform=transforms.ToTensor()), 128, shuffle=True)
optG, optD = optim.Adam(G.parameters(), 2e-4), optim.Adam(D.parameters(), 2e-4)
bce = nn.BCELoss()
for epoch in range(3):
    for real, _ in loader:
        n = len(real)
        fake = G(torch.randn(n, 16))
        lossD = bce(D(real.view(n, -1)), torch.ones(n, 1)) + bce(D(fake.detach()), torch.zeros(n, 1))
        optD.zero_grad(); lossD.backward(); optD.step()
        lossG = bce(D(fake), torch.ones(n, 1))
        optG.zero_grad(); lossG.backward(); optG.step()
