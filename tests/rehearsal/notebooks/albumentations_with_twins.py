#: editor = "colab"
#: epochs = 10
#: batch = 128
#: optimizer = "Adam()"
#: lr = "0.001"
#: transform = "Pad(2), RandomHorizontalFlip(0.1), ToTensor(), Normalize((0.1307,), (0.3081,))"
# %%
!pip install -U albumentations
import albumentations as A
from albumentations.pytorch import ToTensorV2
import numpy as np
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
# %%
train_tf = A.Compose([A.PadIfNeeded(32, 32, border_mode=0, value=0), A.HorizontalFlip(p=0.1), A.Normalize((0.1307,), (0.3081,)), ToTensorV2()])
class MNISTAlb(datasets.MNIST):
    def __getitem__(self, i):
        image, label = self.data[i].numpy(), int(self.targets[i])
        return self.transform(image=image[:, :, None])["image"], label
train_loader = DataLoader(MNISTAlb('.', train=True, download=True, transform=train_tf), 128, shuffle=True)
# %%
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
model = Net()
opt = optim.Adam(model.parameters())
for e in range(10): run_epoch(model, train_loader, F.cross_entropy, opt)
