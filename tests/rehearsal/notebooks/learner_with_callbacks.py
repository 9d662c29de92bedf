#: editor = "vscode"
#: epochs = 3
#: batch = 64
#: optimizer = "SGD(momentum=0.95)"
#: lr = "0.4 * sin(pi * step / 2814)"
#: transform = "ToTensor()"
# %%
import math
from functools import partial
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
# %%
class CancelBatch(Exception): pass

class Callback:
    order = 0
    def __getattr__(self, k): return getattr(self.learn, k)

class TrainEval(Callback):
    def before_epoch(self):
        self.learn.model.train(self.learn.training)

class Schedule(Callback):
    order = 1
    def __init__(self, function): self.function = function
    def before_batch(self):
        if self.learn.training:
            for group in self.learn.opt.param_groups:
                group["lr"] = self.learn.lr * self.function(self.learn.n_iter / self.learn.n_iters)

class Learner:
    def __init__(self, model, dls, loss_func, lr, opt_func, cbs=()):
        self.model, self.dls, self.loss_func, self.lr, self.opt_func = model, dls, loss_func, lr, opt_func
        self.cbs = sorted([TrainEval(), *cbs], key=lambda cb: cb.order)
        for cb in self.cbs: cb.learn = self
    def __call__(self, name):
        for cb in self.cbs:
            if name in dir(cb): getattr(cb, name)()
    def one_batch(self):
        try:
            self("before_batch")
            self.preds = self.model(self.xb)
            self.loss = self.loss_func(self.preds, self.yb)
            if self.training:
                self.loss.backward()
                self.opt.step()
                self.opt.zero_grad()
                self.n_iter += 1
            self("after_batch")
        except CancelBatch: pass
    def one_epoch(self, train):
        self.training = train
        self.dl = self.dls[0] if train else self.dls[1]
        self("before_epoch")
        with torch.set_grad_enabled(train):
            for self.xb, self.yb in self.dl: self.one_batch()
        self("after_epoch")
    def fit(self, n):
        self.opt = self.opt_func(self.model.parameters(), lr=self.lr)
        self.n_iter, self.n_iters = 0, n * len(self.dls[0])
        for self.epoch in range(n):
            self.one_epoch(True)
            self.one_epoch(False)
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
tf = transforms.ToTensor()
dls = [DataLoader(datasets.MNIST(".", train=t, download=True, transform=tf), 64 if t else 512, shuffle=t) for t in (True, False)]
learn = Learner(Net(), dls, F.cross_entropy, 0.4, partial(optim.SGD, momentum=0.95), [Schedule(lambda p: math.sin(math.pi * p))])
learn.fit(3)
