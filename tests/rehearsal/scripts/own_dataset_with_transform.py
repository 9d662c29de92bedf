#: epochs = 9
#: batch = 128
#: optimizer = "SGD(momentum=0.9)"
#: lr = "0.05"
#: transform = "RandomRotation(10), ToTensor(), Normalize((0.1307,), (0.3081,))"
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
from torch.utils.data import Dataset


class AugmentedMNIST(Dataset):
    """MNIST as numpy arrays with our own transform"""

    def __init__(self, train, transform=None):
        self.base = datasets.MNIST("./data", train=train, download=True)
        self.transform = transform

    def __len__(self):
        return len(self.base)

    def __getitem__(self, index):
        image, label = self.base[index]
        if self.transform is not None:
            image = self.transform(image)
        return image, label


train_tf = transforms.Compose([transforms.RandomRotation(10), transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
test_tf = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
train_loader = DataLoader(AugmentedMNIST(True, train_tf), batch_size=128, shuffle=True)
test_loader = DataLoader(AugmentedMNIST(False, test_tf), batch_size=128)
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
model = Net().to(device)
opt = optim.SGD(model.parameters(), 0.05, momentum=0.9)
for e in range(9):
    print(run_epoch(model, train_loader, F.cross_entropy, opt), run_epoch(model, test_loader, F.cross_entropy))
