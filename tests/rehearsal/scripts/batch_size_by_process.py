#: refused = ["another clock", "the batch size"]
#: at = "batch_size=batch_size"
import os
import time
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
data = datasets.MNIST("data", download=True, transform=transforms.ToTensor())
batch_size = 64 + os.getpid() % 64
loader = DataLoader(data, batch_size=batch_size, shuffle=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
