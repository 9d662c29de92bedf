#: refused = ["gradient_accumulation_steps=4", "larger batches"]
#: at = "Accelerator(grad"
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from accelerate import Accelerator

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


accelerator = Accelerator(gradient_accumulation_steps=4)
loader = DataLoader(datasets.MNIST("data", download=True, transform=transforms.ToTensor()), 32, shuffle=True)
model, optimizer, loader = accelerator.prepare(model := Net(), optim.SGD(model.parameters(), lr=0.1), loader)
for epoch in range(2):
    for x, y in loader:
        with accelerator.accumulate(model):
            loss = F.cross_entropy(model(x), y)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
