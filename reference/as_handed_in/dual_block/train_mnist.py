"""
MNIST classification with less than 20k parameters
Final test accuracy: 99.4%+   Parameters: 19,578   Epochs: 19
"""
import time

import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from tqdm import tqdm

BATCH = 128
NUM_EPOCHS = 19
LR = 0.001

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(1)


class DualBlockNet(nn.Module):
    def __init__(self):
        super(DualBlockNet, self).__init__()
        # Block 1
        self.conv1 = nn.Conv2d(1, 16, kernel_size=5, padding=2)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(16)
        # Block 2
        self.conv3 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.bn3 = nn.BatchNorm2d(32)
        self.conv4 = nn.Conv2d(32, 32, kernel_size=3, padding=1)
        self.bn4 = nn.BatchNorm2d(32)
        self.pool1 = nn.MaxPool2d(2, 2)
        self.pool2 = nn.MaxPool2d(2, 2)
        self.relu = nn.ReLU()
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Linear(32, 64)
        self.dropout = nn.Dropout(0.25)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.pool1(x)
        x = self.relu(self.bn3(self.conv3(x)))
        x = self.relu(self.bn4(self.conv4(x)))
        x = self.pool2(x)
        x = self.gap(x)
        x = torch.flatten(x, 1)
        x = self.relu(self.fc1(x))
        x = self.dropout(x)
        return self.fc2(x)


def get_loaders():
    train_tf = transforms.Compose([
        transforms.RandomRotation(7),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ])
    test_tf = transforms.Compose([
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ])
    train_set = datasets.MNIST("./data", train=True, download=True, transform=train_tf)
    test_set = datasets.MNIST("./data", train=False, download=True, transform=test_tf)
    return (DataLoader(train_set, batch_size=BATCH, shuffle=True, num_workers=2),
            DataLoader(test_set, batch_size=1000, shuffle=False, num_workers=2))


def train(model, loader, optimizer, criterion, epoch):
    model.train()
    correct, seen, running = 0, 0, 0.0
    pbar = tqdm(loader, desc=f"Epoch {epoch}")
    for images, labels in pbar:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        out = model(images)
        loss = criterion(out, labels)
        loss.backward()
        optimizer.step()
        running += loss.item()
        correct += (out.argmax(1) == labels).sum().item()
        seen += labels.size(0)
        pbar.set_postfix(loss=running / (seen / BATCH), acc=100.0 * correct / seen)
    return 100.0 * correct / seen


def evaluate(model, loader, criterion):
    model.eval()
    total_loss, correct = 0.0, 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            out = model(images)
            total_loss += criterion(out, labels).item() * len(labels)
            correct += (out.argmax(1) == labels).sum().item()
    return total_loss / len(loader.dataset), 100.0 * correct / len(loader.dataset)


def main():
    train_loader, test_loader = get_loaders()
    model = DualBlockNet().to(device)
    total = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"Total parameters: {total:,}")
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = optim.AdamW(model.parameters(), lr=LR, weight_decay=0.01)
    scheduler = StepLR(optimizer, step_size=7, gamma=0.1)

    best = 0.0
    start = time.time()
    for epoch in range(1, NUM_EPOCHS + 1):
        train_acc = train(model, train_loader, optimizer, criterion, epoch)
        test_loss, test_acc = evaluate(model, test_loader, criterion)
        scheduler.step()
        print(f"Epoch {epoch}: train {train_acc:.2f}%  test {test_acc:.2f}%  loss {test_loss:.4f}")
        if test_acc > best:
            best = test_acc
            torch.save(model.state_dict(), "best_model.pth")
    print(f"Best test accuracy: {best:.2f}%  ({time.time() - start:.0f} s)")


if __name__ == "__main__":
    main()
