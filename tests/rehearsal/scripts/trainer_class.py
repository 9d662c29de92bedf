#: oracle = true
#: epochs = 12
#: batch = 128
#: optimizer = "AdamW(weight_decay=0.0001)"
#: lr = "cosine(epoch, 12, 0.003)"
#: label_smoothing = 0.05
#: transform = "ToTensor(), Normalize(0.1307, 0.3081)"
#: network = "SmallNet"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"


def conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            conv(1, 8), conv(8, 8), nn.MaxPool2d(2),
            conv(8, 16), nn.Dropout(0.05), nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 10))

    def forward(self, x):
        return self.net(x)


class Trainer:
    """Handles the training and the evaluation of a model."""

    def __init__(self, model, train_loader, test_loader, config):
        self.model = model.to(config["device"])
        self.train_loader = train_loader
        self.test_loader = test_loader
        self.config = config
        self.criterion = nn.CrossEntropyLoss(label_smoothing=config["smoothing"])
        self.optimizer = optim.AdamW(self.model.parameters(), lr=config["lr"], weight_decay=config["wd"])
        self.scheduler = optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=config["epochs"])
        self.history = []

    def _step(self, batch):
        x, y = [t.to(self.config["device"]) for t in batch]
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.criterion(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def fit(self):
        for epoch in range(self.config["epochs"]):
            self.model.train()
            losses = [self._step(batch) for batch in self.train_loader]
            self.scheduler.step()
            acc = self.evaluate()
            self.history.append((torch.stack(losses).mean().item(), acc))
            print(epoch, *self.history[-1])
        return self

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        hits = [(self.model(x.to(self.config["device"])).argmax(1).cpu() == y).float() for x, y in self.test_loader]
        return torch.cat(hits).mean().item()


config = dict(lr=3e-3, wd=1e-4, epochs=12, smoothing=0.05, batch_size=128, device=device)
tf = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.1307, 0.3081)])
loaders = [DataLoader(datasets.MNIST("data", train=t, download=True, transform=tf), config["batch_size"], shuffle=t)
           for t in (True, False)]
Trainer(SmallNet(), *loaders, config).fit()
