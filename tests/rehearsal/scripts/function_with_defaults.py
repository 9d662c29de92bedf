#: oracle = true
#: epochs = 8
#: batch = 256
#: optimizer = "SGD(momentum=0.9, nesterov=True, weight_decay=0.0005)"
#: lr = "0.05"
#: network = "M"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"

class M(nn.Module):
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

def evaluate(net, loader):
    net.eval()
    correct = 0
    n = 0
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            correct += (net(x).argmax(1) == y).sum().item()
            n += y.size(0)
    return correct / n

def train_model(model, epochs=8, lr=0.05, batch_size=256, momentum=0.9, wd=5e-4, loss_fn=nn.CrossEntropyLoss()):
    tf = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    train_dl = DataLoader(datasets.MNIST("d", True, tf, download=True), batch_size, True)
    test_dl = DataLoader(datasets.MNIST("d", False, tf, download=True), 500)
    opt = optim.SGD(model.parameters(), lr, momentum, weight_decay=wd, nesterov=True)
    best = 0
    for e in range(epochs):
        model.train()
        for xb, yb in train_dl:
            pred = model(xb.to(device))
            loss = loss_fn(pred, yb.to(device))
            loss.backward()
            opt.step()
            opt.zero_grad()
        acc = evaluate(model, test_dl)
        best = max(best, acc)
        print("epoch", e, "acc", acc)
    return best

if __name__ == "__main__":
    print(train_model(M().to(device)))
