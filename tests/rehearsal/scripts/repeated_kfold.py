#: refused = ["RepeatedKFold", "StratifiedKFold or ShuffleSplit"]
#: at = "RepeatedKFold(n_splits"
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from sklearn import model_selection
from sklearn.model_selection import RepeatedKFold
from torch.utils.data import Subset

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
for train_idx, _ in RepeatedKFold(n_splits=5).split(data):
    model = Net()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    for x, y in DataLoader(Subset(data, train_idx), 64, shuffle=True):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
