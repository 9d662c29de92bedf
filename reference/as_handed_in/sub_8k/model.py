import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)    # 28 -> 28 | RF 3
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 10, 3, padding=1)   # 28 -> 28 | RF 5
        self.bn2 = nn.BatchNorm2d(10)
        self.pool1 = nn.MaxPool2d(2, 2)               # 28 -> 14 | RF 6
        self.conv3 = nn.Conv2d(10, 12, 3, padding=1)  # 14 -> 14 | RF 10
        self.bn3 = nn.BatchNorm2d(12)
        self.pool2 = nn.MaxPool2d(2, 2)               # 14 -> 7  | RF 12
        self.conv4 = nn.Conv2d(12, 16, 3, padding=1)  # 7 -> 7   | RF 20
        self.bn4 = nn.BatchNorm2d(16)
        self.conv5 = nn.Conv2d(16, 16, 3, padding=1)  # 7 -> 7   | RF 28
        self.bn5 = nn.BatchNorm2d(16)
        self.conv6 = nn.Conv2d(16, 10, 1)             # 7 -> 7   | RF 28
        self.gap = nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.pool1(F.relu(self.bn2(self.conv2(x))))
        x = self.pool2(F.relu(self.bn3(self.conv3(x))))
        x = F.relu(self.bn4(self.conv4(x)))
        x = F.relu(self.bn5(self.conv5(x)))
        x = self.gap(self.conv6(x))
        x = x.view(-1, 10)
        return F.log_softmax(x, dim=1)
