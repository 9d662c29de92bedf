#: epochs = 4
#: batch = 100
#: optimizer = "AdamW()"
#: lr = "0.001 * (step / 200 if step < 200 else (2400 - step) / 2200)"
#: transform = "ToTensor()"
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from transformers import get_linear_schedule_with_warmup

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


loader = DataLoader(datasets.MNIST("data", download=True, transform=transforms.ToTensor()), 100, shuffle=True)
EPOCHS = 4
model = Net()
optimizer = optim.AdamW(model.parameters(), lr=1e-3)
total_steps = len(loader) * EPOCHS
scheduler = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=200, num_training_steps=total_steps)
for epoch in range(EPOCHS):
    model.train()
    for x, y in loader:
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
