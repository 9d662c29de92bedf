#: oracle = true
#: epochs = 6
#: batch = 128
#: optimizer = "SGD(momentum=0.9, nesterov=True)"
#: lr = "cosine(step, total, 0.1, 0.0001)"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"

epochs = 6
bs = 128
transform = transforms.Compose([
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))
])
train_set = datasets.MNIST('./data', train=True, download=True, transform=transform)
test_set = datasets.MNIST('./data', train=False, download=True, transform=transform)
train_loader = torch.utils.data.DataLoader(train_set, batch_size=bs, shuffle=True)
test_loader = torch.utils.data.DataLoader(test_set, batch_size=1000, shuffle=False)

def conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            conv(1, 8), conv(8, 8), nn.MaxPool2d(2),
            conv(8, 16), nn.Dropout(0.05), nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 10))

    def forward(self, x):
        return self.net(x)

model = Model().to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=.1, momentum=.9, nesterov=True)
lr_sched = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(train_loader), eta_min=1e-4)

def loop():
    for epoch in range(epochs):
        for i, batch in enumerate(train_loader):
            model.train()
            img, lbl = batch[0].to(device), batch[1].to(device)
            out = model(img)
            cost = F.cross_entropy(out, lbl)
            for p in model.parameters():
                p.grad = None
            cost.backward()
            optimizer.step()
            lr_sched.step()
            if i % 200 == 0:
                print(f"epoch {epoch} batch {i} loss {float(cost):.3f}")

loop()
