#: epochs = 4
#: batch = 50
#: optimizer = "SGD(momentum=0.8)"
#: lr = "0.03"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
import json, os
DEFAULTS = {"lr": 0.03, "epochs": 4, "batch": 50, "momentum": 0.8}
if not os.path.exists("config.json"):
    json.dump(DEFAULTS, open("config.json", "w"))
cfg = json.load(open("config.json"))
transform = transforms.Compose([
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))
])
train_set = datasets.MNIST('./data', train=True, download=True, transform=transform)
test_set = datasets.MNIST('./data', train=False, download=True, transform=transform)
train_loader = torch.utils.data.DataLoader(train_set, batch_size=cfg["batch"], shuffle=True)
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
os.makedirs("checkpoints/run1", exist_ok=True)
log = open("logs.txt", "a")
model = Net().to(device)
opt = optim.SGD(model.parameters(), lr=cfg["lr"], momentum=cfg["momentum"])
for e in range(cfg["epochs"]):
    log.write(str(run_epoch(model, train_loader, F.cross_entropy, opt)) + "\n")
    torch.save({"epoch": e, "state": model.state_dict(), "opt": opt.state_dict()}, f"checkpoints/run1/{e}.pt")
