#: editor = "vscode"
#: epochs = 5
#: batch = 128
#: optimizer = "Adam()"
#: lr = "one_cycle(step, total, 0.01)"
#: momentum = "one_cycle_momentum(step, total)"
# %%
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
class Callback:
    def after_batch(self, learner): ...
    def after_epoch(self, learner): ...
class Schedule(Callback):
    def __init__(self, make): self.make = make
    def begin(self, learner): self.s = self.make(learner.opt)
    def after_batch(self, learner):
        if learner.training: self.s.step()
class Learner:
    def __init__(self, model, dls, loss, opt, cbs=()):
        self.model, self.dls, self.loss, self.opt, self.cbs = model, dls, loss, opt, cbs
        self('begin')
    def __call__(self, name):
        for cb in self.cbs: getattr(cb, name, lambda l: None)(self)
    def one_epoch(self, train):
        self.training = train
        self.model.train(train)
        for self.batch in self.dls[0 if train else 1]:
            xb, yb = self.batch
            self.l = self.loss(self.model(xb), yb)
            if train:
                self.l.backward(); self.opt.step(); self.opt.zero_grad()
            self('after_batch')
        self('after_epoch')
    def fit(self, n):
        for _ in range(n):
            self.one_epoch(True)
            with torch.no_grad(): self.one_epoch(False)
# %%
transform = transforms.Compose([
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))
])
train_set = datasets.MNIST('./data', train=True, download=True, transform=transform)
test_set = datasets.MNIST('./data', train=False, download=True, transform=transform)
train_loader = torch.utils.data.DataLoader(train_set, batch_size=128, shuffle=True)
test_loader = torch.utils.data.DataLoader(test_set, batch_size=1000, shuffle=False)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 10, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(10), nn.Dropout(0.1),
            nn.Conv2d(10, 16, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(16), nn.Dropout(0.1),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 16, 3, bias=False), nn.ReLU(), nn.BatchNorm2d(16),
            nn.AdaptiveAvgPool2d(1),
        )
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(self.features(x).flatten(1))
m = Net()
sch = Schedule(lambda o: optim.lr_scheduler.OneCycleLR(o, 0.01, total_steps=5 * len(train_loader)))
Learner(m, (train_loader, test_loader), F.cross_entropy, optim.Adam(m.parameters()), [sch]).fit(5)
