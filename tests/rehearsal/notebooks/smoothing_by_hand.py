#: editor = "jupyter"
#: refused = ["a formula of your own"]
#: at = ""
# %%
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

device = "cuda" if torch.cuda.is_available() else "cpu"
transform = transforms.Compose([
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))
])
train_set = datasets.MNIST('./data', train=True, download=True, transform=transform)
test_set = datasets.MNIST('./data', train=False, download=True, transform=transform)
train_loader = torch.utils.data.DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = torch.utils.data.DataLoader(test_set, batch_size=1000, shuffle=False)
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
def smooth(logp, y, eps=0.1):
    t = torch.full_like(logp, eps / 9).scatter_(1, y[:, None], 1 - eps)
    return -(t * logp).sum(1).mean()
model = Net()
opt = optim.SGD(model.parameters(), lr=.05)
# %%
for e in range(3):
    for x, y in train_loader:
        opt.zero_grad()
        smooth(model(x), y).backward()
        opt.step()
