#: epochs = 40
#: batch = 128
#: optimizer = "AdamW(weight_decay=0.0005)"
#: lr = "0.002"
#: patience = { monitor = "loss", epochs = 5, threshold = 0.001 }
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
class EarlyStopping:
    """Stops when the loss has not improved by min_delta for `patience` epochs."""

    def __init__(self, patience=7, min_delta=0.0, path="checkpoint.pt"):
        self.patience, self.min_delta, self.path = patience, min_delta, path
        self.counter, self.best_score, self.early_stop = 0, None, False

    def __call__(self, val_loss, model):
        score = -val_loss
        if self.best_score is None:
            self.best_score = score
            self.save(model)
        elif score < self.best_score + self.min_delta:
            self.counter += 1
            if self.counter >= self.patience:
                self.early_stop = True
        else:
            self.best_score = score
            self.save(model)
            self.counter = 0

    def save(self, model):
        torch.save(model.state_dict(), self.path)


model = Net().to(device)
optimizer = optim.AdamW(model.parameters(), lr=2e-3, weight_decay=5e-4)
early_stopping = EarlyStopping(patience=5, min_delta=1e-3)
for epoch in range(40):
    run_epoch(model, train_loader, nn.CrossEntropyLoss(), optimizer)
    val_loss, _ = run_epoch(model, test_loader, nn.CrossEntropyLoss())
    early_stopping(val_loss, model)
    if early_stopping.early_stop:
        break
