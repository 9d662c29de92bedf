#: epochs = 5
#: batch = 512
#: optimizer = "SGD(momentum=0.9, nesterov=True, weight_decay=5e-4)"
#: lr = "one_cycle(step, total, 0.4, 0.3, 25, 10000)"
#: label_smoothing = 0.1
#: transform = "RandomCrop(size=(28, 28), padding=(2, 2, 2, 2)), ToTensor(), Normalize((0.1307,), (0.3081,))"
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
import datetime, os, sys, time, json, logging
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
log = logging.getLogger(__name__)

hp = dict(epochs=5, bs=512, max_lr=0.4, wd=5e-4)
run_name = f"{datetime.datetime.now():%Y-%m-%d_%H-%M}"
out = os.path.join("runs", run_name)
os.makedirs(out, exist_ok=True)

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


tfm = transforms.Compose([transforms.RandomCrop(28, padding=2), transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
tfm_t = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
dl = {split: DataLoader(datasets.MNIST("data", split == "train", tfm if split == "train" else tfm_t, download=True),
                        hp["bs"], shuffle=split == "train", drop_last=False) for split in ("train", "test")}
net = Net().cuda() if torch.cuda.is_available() else Net()
decay = [p for n, p in net.named_parameters() if p.ndim > 1]
crit = nn.CrossEntropyLoss(label_smoothing=0.1)
opt = optim.SGD(net.parameters(), lr=hp["max_lr"], momentum=0.9, nesterov=True, weight_decay=hp["wd"])
sched = optim.lr_scheduler.OneCycleLR(opt, max_lr=hp["max_lr"], epochs=hp["epochs"], steps_per_epoch=len(dl["train"]), cycle_momentum=False)
stats, best, begin = [], 0, time.time()
for ep in range(hp["epochs"]):
    for phase in ["train", "test"]:
        net.train(phase == "train")
        tot = cor = 0
        for xb, yb in dl[phase]:
            with torch.set_grad_enabled(phase == "train"):
                pred = net(xb)
                l = crit(pred, yb)
            if phase == "train":
                opt.zero_grad(); l.backward(); opt.step(); sched.step()
            tot += len(yb); cor += (pred.argmax(1) == yb).sum().item()
        acc = cor / tot
        log.info("%s %d %s %.4f", run_name, ep, phase, acc)
    left = (time.time() - begin) / (ep + 1) * (hp["epochs"] - ep - 1)
    log.info("about %s left", datetime.timedelta(seconds=int(left)))
    stats.append(dict(epoch=ep, acc=acc, lr=sched.get_last_lr()[0]))
    if acc > best:
        best = acc
        torch.save(dict(model=net.state_dict(), epoch=ep, acc=acc), os.path.join(out, f"best_{acc:.4f}.pt"))
with open(os.path.join(out, "stats.json"), "w") as fh:
    json.dump(stats, fh, indent=2)
