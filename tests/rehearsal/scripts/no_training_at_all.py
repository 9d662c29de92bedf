#: refused = []
#: at = ""
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(16)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv3 = nn.Conv2d(16, 16, 3)
        self.bn3 = nn.BatchNorm2d(16)
        self.drop = nn.Dropout(0.05)
        self.conv4 = nn.Conv2d(16, 10, 1)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        x = self.pool(F.relu(self.bn2(self.conv2(x))))
        x = self.drop(F.relu(self.bn3(self.conv3(x))))
        x = F.adaptive_avg_pool2d(self.conv4(x), 1)
        x = x.view(-1, 10)
        return F.log_softmax(x, dim=1)
model = Net()
print(model)
print(sum(p.numel() for p in model.parameters()))
print(model(torch.randn(2, 1, 28, 28)).shape)
