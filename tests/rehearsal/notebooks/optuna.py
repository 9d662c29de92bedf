#: editor = "colab"
#: refused = ["optuna"]
#: at = ""
# %%
!pip install optuna
import optuna
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
transform = transforms.Compose([
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))
])
train_set = datasets.MNIST('./data', train=True, download=True, transform=transform)
test_set = datasets.MNIST('./data', train=False, download=True, transform=transform)
train_loader = torch.utils.data.DataLoader(train_set, batch_size=128, shuffle=True)
test_loader = torch.utils.data.DataLoader(test_set, batch_size=1000, shuffle=False)
class Net(nn.Module):
    def __init__(self, width, dropout, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(2 * width)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(torch.relu(self.norm2(self.conv2(x))), 2)
        x = x.mean(dim=(2, 3))
        return self.fc(self.dropout(x))
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
# %%
def objective(trial):
    lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    model = Net(trial.suggest_int("width", 4, 16), trial.suggest_float("p", 0, 0.3))
    opt = optim.SGD(model.parameters(), lr=lr)
    for e in range(3):
        run_epoch(model, train_loader, F.cross_entropy, opt)
    return run_epoch(model, test_loader, F.cross_entropy)[1]
study = optuna.create_study(direction="maximize")
study.optimize(objective, n_trials=20)
