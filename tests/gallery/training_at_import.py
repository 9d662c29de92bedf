"""The whole training script stands at the top level, as notebooks export it.

Only definitions run, so the script is harmless; the report lists what was not executed.

✓ parameter_limit: 7,450 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
· SGD (line 46) of this file is not read: the network is trained with the assignment's optimizer and schedule. To train with your own, return them from a function configure_optimizers(model, steps_per_epoch, epochs)
○ line 19: !pip install torchsummary (a notebook command, not Python)
○ line 26: train_set = datasets.MNIST("data", train=True, download=True, transform=transforms.ToTensor()) (not needed to build the network)
○ line 27: train_loader = torch.utils.data.DataLoader(train_set, batch_size=128, shuffle=True) (not needed to build the network)
○ line 43: device = torch.device("cuda" if torch.cuda.is_available() else "cpu") (not needed to build the network)
○ line 44: model = Net().to(device) (not needed to build the network)
○ line 45: summary(model, input_size=(1, 28, 28)) (it does something instead of defining it)
○ line 46: optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9) (not needed to build the network)
○ line 48: for epoch in range(1, 20): (it does something instead of defining it)
○ line 53: torch.save(model.state_dict(), "model.pt") (it does something instead of defining it)
"""
!pip install torchsummary
import torch
import torch.nn as nn
from torchsummary import summary
from torchvision import datasets, transforms
from tqdm import tqdm

train_set = datasets.MNIST("data", train=True, download=True, transform=transforms.ToTensor())
train_loader = torch.utils.data.DataLoader(train_set, batch_size=128, shuffle=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.05),
            nn.Conv2d(16, 10, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)


device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
model = Net().to(device)
summary(model, input_size=(1, 28, 28))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

for epoch in range(1, 20):
    for images, labels in tqdm(train_loader):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
torch.save(model.state_dict(), "model.pt")
