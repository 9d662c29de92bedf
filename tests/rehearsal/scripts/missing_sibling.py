#: refused = ["model"]
#: at = "from model import Net"
import torch
import torch.nn.functional as F
from torch import optim
from torchvision import datasets, transforms
from model import Net
t = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
loader = torch.utils.data.DataLoader(datasets.MNIST("data", train=True, transform=t, download=True), 64, shuffle=True)
net = Net()
o = optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    for x, y in loader:
        o.zero_grad()
        F.nll_loss(net(x), y).backward()
        o.step()
