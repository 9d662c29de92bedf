#: epochs = 2
#: batch = 100
#: images = 54000
#: optimizer = "Adam()"
#: lr = "0.001"
#: transform = "ToTensor()"
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from sklearn.model_selection import train_test_split
from torch.utils.data import Subset, SubsetRandomSampler

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))


data = datasets.MNIST("data", download=True, transform=transforms.ToTensor())
train_idx, val_idx = train_test_split(
    list(range(len(data))), test_size=0.1, stratify=data.targets, random_state=7)
train_loader = DataLoader(data, batch_size=100, sampler=SubsetRandomSampler(train_idx))
val_loader = DataLoader(Subset(data, val_idx), batch_size=100)
model = Net()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(2):
    for x, y in train_loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        print(sum((model(x).argmax(1) == y).sum().item() for x, y in val_loader) / len(val_idx))
