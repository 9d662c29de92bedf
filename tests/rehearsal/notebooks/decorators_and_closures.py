#: editor = "vscode"
#: epochs = 4
#: batch = 64
#: optimizer = "Adam(weight_decay=0.0001)"
#: lr = "0.003"
# %%
import functools, time
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
def timed(f):
    @functools.wraps(f)
    def inner(*a, **k):
        t = time.perf_counter()
        out = f(*a, **k)
        print(f.__name__, time.perf_counter() - t)
        return out
    return inner
# %%
transform = transforms.Compose([
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))
])
train_set = datasets.MNIST('./data', train=True, download=True, transform=transform)
test_set = datasets.MNIST('./data', train=False, download=True, transform=transform)
train_loader = torch.utils.data.DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = torch.utils.data.DataLoader(test_set, batch_size=1000, shuffle=False)
def conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            conv(1, 8), conv(8, 8), nn.MaxPool2d(2),
            conv(8, 16), nn.Dropout(0.05), nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 10))

    def forward(self, x):
        return self.net(x)
def make_train_step(model, loss_fn, optimizer):
    def train_step(x, y):
        model.train()
        yhat = model(x)
        loss = loss_fn(yhat, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()
    return train_step
# %%
model = Net()
train_step = make_train_step(model, nn.CrossEntropyLoss(reduction='mean'), optim.Adam(model.parameters(), lr=0.003, weight_decay=1e-4))
@timed
def epoch_of_training():
    return [train_step(x, y) for x, y in train_loader]
losses = [epoch_of_training() for _ in range(4)]
