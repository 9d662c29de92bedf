#: epochs = 10
#: batch = 100
#: optimizer = "Adam()"
#: lr = "0.001"
#: transform = "ToTensor()"
#: stop = { accuracy = 0.98 }
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from sklearn.metrics import accuracy_score

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


train_dl = DataLoader(datasets.MNIST("d", True, transforms.ToTensor(), download=True), 100, shuffle=True)
test_dl = DataLoader(datasets.MNIST("d", False, transforms.ToTensor()), 100)
model, epochs = Net(), 10
opt = optim.Adam(model.parameters())
for e in range(epochs):
    model.train()
    for x, y in train_dl:
        opt.zero_grad(); F.cross_entropy(model(x), y).backward(); opt.step()
    model.eval()
    truth, answers = [], []
    with torch.no_grad():
        for x, y in test_dl:
            truth += y.tolist(); answers += model(x).argmax(1).tolist()
    if accuracy_score(truth, answers) >= 0.98:
        break
