#: epochs = 4
#: batch = 32
#: optimizer = "SGD(momentum=0.9)"
#: oracle = true
#: lr = "0.02 * 0.5 ** (epoch // 2)"
#: optimizer_at = "optimizer = optim.SGD"
#: transform = "ToTensor()"
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from tqdm import tqdm

EPOCHS = 4


def main():
    setup()
    for i in tqdm(range(1, EPOCHS + 1), desc="epochs"):
        train(i)
        test(i)
        scheduler.step()


def train(epoch):
    global model, optimizer
    model.train()
    pbar = tqdm(enumerate(train_loader, 0), unit="batch", total=len(train_loader))
    for batch_idx, (data, target) in pbar:
        optimizer.zero_grad()
        output = model(data)
        loss = criterion(output, target)
        loss.backward()
        optimizer.step()
        pbar.set_postfix(loss=loss.item())


def test(epoch):
    global best
    model.eval()
    with torch.no_grad():
        hits = sum([model(d).argmax(1).eq(t).sum().item() for d, t in test_loader])
    best = max(best, 100. * hits / len(test_loader.dataset))
    print("epoch %d: %.2f %% (best %.2f %%)" % (epoch, 100. * hits / len(test_loader.dataset), best))


def setup():
    global model, optimizer, criterion, scheduler, train_loader, test_loader, best
    best = 0
    to = transforms.ToTensor()
    train_loader = DataLoader(datasets.MNIST("..", True, transform=to, download=True), batch_size=32, shuffle=True)
    test_loader = DataLoader(datasets.MNIST("..", False, transform=to), batch_size=32)
    model = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))


if __name__ == "__main__":
    main()
