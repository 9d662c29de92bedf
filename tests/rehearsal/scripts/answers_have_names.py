#: epochs = 2
#: batch = 64
#: optimizer = "AdamW()"
#: lr = "0.0005"
#: transform = "ToTensor()"
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from dataclasses import dataclass
from typing import Optional


@dataclass
class Output:
    loss: Optional[torch.Tensor] = None
    logits: Optional[torch.Tensor] = None


class Classifier(nn.Module):
    def __init__(self, num_labels=10):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU())
        self.head = nn.Linear(8 * 49, num_labels)

    def forward(self, pixel_values, labels=None):
        logits = self.head(self.backbone(pixel_values).flatten(1))
        loss = F.cross_entropy(logits, labels) if labels is not None else None
        return Output(loss=loss, logits=logits)


train_loader = DataLoader(datasets.MNIST("data", download=True, transform=transforms.ToTensor()), 64, shuffle=True)
model = Classifier()
optimizer = optim.AdamW(model.parameters(), lr=5e-4)
model.train()
for epoch in range(2):
    for pixel_values, labels in train_loader:
        logits = model(pixel_values=pixel_values).logits
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
