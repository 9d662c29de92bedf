#: editor = "kaggle"
#: epochs = 2
#: batch = 64
#: images = 40000
#: optimizer = "Adam()"
#: lr = "0.001"
#: transform = "ToTensor()"
# %%
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from sklearn import model_selection
from torch.utils.data import Subset
# %%
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
# %%
data = datasets.MNIST("data", download=True, transform=transforms.ToTensor())
kf = model_selection.StratifiedKFold(n_splits=3, shuffle=True, random_state=2020)
# %%
for fold, (trn_, val_) in enumerate(kf.split(X=range(len(data)), y=data.targets.numpy())):
    if fold > 0:
        break
    loader = DataLoader(Subset(data, trn_), batch_size=64, shuffle=True)
    model = Net()
    optimizer = optim.Adam(model.parameters())
    for epoch in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
