#: epochs = 3
#: batch = 64
#: optimizer = "RMSprop(alpha=0.9)"
#: lr = "0.001 * 0.9 ** epoch"
#: transform = "ToTensor()"
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from collections import OrderedDict
from argparse import ArgumentParser


def build():
    return nn.Sequential(OrderedDict([
        ("conv", nn.Conv2d(1, 8, 3)), ("act", nn.ReLU()), ("pool", nn.AdaptiveAvgPool2d(4)),
        ("flat", nn.Flatten()), ("out", nn.Linear(128, 10)),
    ]))


def epochs(count):
    number = 0
    while number < count:
        yield number
        number += 1


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--bs", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--n-epochs", type=int, default=3)
    args, _ = parser.parse_known_args()
    net = build().to(memory_format=torch.channels_last)
    train = datasets.MNIST("data", download=True, transform=transforms.ToTensor())
    loader = DataLoader(train, args.bs, True)
    opt = optim.RMSprop(net.parameters(), lr=args.lr, alpha=0.9)
    for _ in epochs(args.n_epochs):
        for xb, yb in loader:
            xb = xb.to("cuda", memory_format=torch.channels_last)
            loss = nn.CrossEntropyLoss(reduction="none")(net(xb), yb.cuda())
            loss = loss.mean()
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
        opt.param_groups[0]["lr"] *= 0.9
