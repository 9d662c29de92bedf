#: epochs = 2
#: batch = 64
#: optimizer = "SGD()"
#: lr = "0.1"
#: transform = "ToTensor()"
import os
import time
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
data = datasets.MNIST("data", download=True, transform=transforms.ToTensor())
started = time.monotonic()
loader = DataLoader(data, batch_size=64, shuffle=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    print(os.getpid(), f"{time.monotonic() - started:.1f} s")
