#: epochs = 10
#: batch = 128
#: optimizer = "Adam(weight_decay=1e-05)"
#: lr = "0.001"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import wandb
from sklearn.metrics import classification_report, confusion_matrix
from torch.utils.tensorboard import SummaryWriter
from torchinfo import summary
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
wandb.init(project="mnist-small", config={"epochs": 10, "lr": 1e-3})
writer = SummaryWriter("runs/mnist")
model = Net().to(device)
summary(model, input_size=(1, 1, 28, 28))
wandb.watch(model)
opt = optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
history = []
for epoch in range(10):
    tl, ta = run_epoch(model, train_loader, F.cross_entropy, opt)
    vl, va = run_epoch(model, test_loader, F.cross_entropy)
    writer.add_scalar("loss/train", tl, epoch)
    wandb.log({"train_loss": tl, "val_loss": vl, "val_acc": va, "epoch": epoch})
    history.append([tl, ta, vl, va])
df = pd.DataFrame(history, columns=["tl", "ta", "vl", "va"])
df.plot()
plt.savefig("curves.png")
preds, truth = [], []
for x, y in test_loader:
    preds += model(x).argmax(1).tolist()
    truth += y.tolist()
print(classification_report(truth, preds))
sns.heatmap(confusion_matrix(truth, preds), annot=True, fmt="d")
fig, axes = plt.subplots(2, 5)
for ax, (img, lab) in zip(axes.flat, test_set):
    ax.imshow(img.squeeze().numpy(), cmap="gray")
    ax.set_title(lab)
plt.show()
wandb.finish()
