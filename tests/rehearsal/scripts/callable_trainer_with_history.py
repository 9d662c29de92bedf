#: epochs = 8
#: batch = 128
#: optimizer = "Adam(weight_decay=1e-4)"
#: lr = "0.003"
#: patience = { monitor = "accuracy", epochs = 3, threshold = 0 }
#: transform = "RandomRotation(degrees=(-10, 10)), ToTensor()"
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
import copy
import time
from dataclasses import dataclass, field

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


@dataclass
class Config:
    epochs: int = 8
    batch_size: int = 128
    lr: float = 3e-3
    weight_decay: float = 1e-4
    patience: int = 3
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    history: dict = field(default_factory=lambda: {"loss": [], "acc": []})


class Trainer:
    def __init__(self, model, config):
        self.model, self.config = model.to(config.device), config
        self.optimizer = optim.Adam(self.model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        self.best, self.best_state, self.waited = 0.0, None, 0

    def __call__(self, train_loader, test_loader):
        t0 = time.perf_counter()
        for epoch in range(self.config.epochs):
            loss = self._train(train_loader)
            acc = self._test(test_loader)
            self.config.history["loss"].append(loss)
            self.config.history["acc"].append(acc)
            print(f"{epoch:02d} {loss:.4f} {acc:.4%} {time.perf_counter() - t0:.1f} s")
            if acc > self.best:
                self.best, self.waited = acc, 0
                self.best_state = copy.deepcopy(self.model.state_dict())
            else:
                self.waited += 1
                if self.waited >= self.config.patience:
                    print("early stop")
                    break
        self.model.load_state_dict(self.best_state)
        return self.config.history

    def _train(self, loader):
        self.model.train()
        total = 0.0
        for x, y in loader:
            x, y = x.to(self.config.device), y.to(self.config.device)
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total / len(loader)

    @torch.inference_mode()
    def _test(self, loader):
        self.model.eval()
        hits = 0
        for x, y in loader:
            x, y = x.to(self.config.device), y.to(self.config.device)
            hits += (self.model(x).argmax(1) == y).sum().item()
        return hits / len(loader.dataset)


config = Config()
augment = transforms.Compose([transforms.RandomRotation(10), transforms.ToTensor()])
train_loader = DataLoader(datasets.MNIST("data", True, augment, download=True), config.batch_size, shuffle=True)
test_loader = DataLoader(datasets.MNIST("data", False, transforms.ToTensor(), download=True), 1024)
history = Trainer(Net(), config)(train_loader, test_loader)
