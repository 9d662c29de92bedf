#: oracle = true
#: epochs = 6
#: batch = 96
#: optimizer = "RAdam(weight_decay=0.01)"
#: lr = "0.004 * 0.9 ** epoch"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
from dataclasses import dataclass, field, asdict
@dataclass
class Config:
    lr: float = 4e-3
    epochs: int = 6
    batch_size: int = 96
    weight_decay: float = 1e-2
    gamma: float = 0.9
    mean: tuple = field(default_factory=lambda: (0.1307,))
    std: tuple = field(default_factory=lambda: (0.3081,))
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
def run_epoch(model, loader, criterion, optimizer=None):
    training = optimizer is not None
    model.train(training)
    total, right, count = 0.0, 0, 0
    with torch.set_grad_enabled(training):
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            scores = model(images)
            loss = criterion(scores, labels)
            if training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item() * len(labels)
            right += (scores.argmax(1) == labels).sum().item()
            count += len(labels)
    return total / count, right / count
def main(cfg: Config = Config()):
    print(asdict(cfg))
    tf = transforms.Compose([transforms.ToTensor(), transforms.Normalize(cfg.mean, cfg.std)])
    train_loader = DataLoader(datasets.MNIST("data", train=True, download=True, transform=tf), cfg.batch_size, shuffle=True)
    model = Net().to(device)
    opt = optim.RAdam(model.parameters(), lr=cfg.lr, weight_decay=cfg.weight_decay)
    sched = optim.lr_scheduler.ExponentialLR(opt, cfg.gamma)
    for _ in range(cfg.epochs):
        print(run_epoch(model, train_loader, F.cross_entropy, opt))
        sched.step()
main()
