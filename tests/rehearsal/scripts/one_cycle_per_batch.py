#: oracle = true
#: epochs = 15
#: batch = 128
#: optimizer = "SGD(momentum=0.9, weight_decay=0.0001)"
#: lr = "one_cycle(step, total, 0.1, 0.2, 10, 100)"
#: momentum = "one_cycle_momentum(step, total, 0.2)"
#: transform = "RandomRotation((-7.0, 7.0), fill=(1,)), ToTensor(), Normalize((0.1307,), (0.3081,))"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"

EPOCHS = 15
train_tfms = transforms.Compose([
    transforms.RandomRotation((-7.0, 7.0), fill=(1,)),
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,)),
])
test_tfms = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
train_data = datasets.MNIST(root='data', train=True, transform=train_tfms, download=True)
test_data = datasets.MNIST(root='data', train=False, transform=test_tfms, download=True)
train_loader = DataLoader(train_data, batch_size=128, shuffle=True, num_workers=2, pin_memory=True)
test_loader = DataLoader(test_data, batch_size=128, shuffle=False, num_workers=2, pin_memory=True)

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

model = Net().to(device)
loss_function = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, steps_per_epoch=len(train_loader), epochs=EPOCHS,
                                          pct_start=0.2, div_factor=10, final_div_factor=100)
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

for epoch in range(EPOCHS):
    model.train()
    for x, y in train_loader:
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
    print(f"{epoch}: {evaluate(model, test_loader):.4f}  lr {scheduler.get_last_lr()[0]:.5f}")
