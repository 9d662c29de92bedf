#: epochs = 3
#: batch = 64
#: optimizer = "AdamW(weight_decay=0.01)"
#: lr = "0.001 * (1 - epoch / 3)"
#: clip_norm = 1.0
#: notes = ["Mixed precision is left out", "The seed 42 is not used"]
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from accelerate import Accelerator
from accelerate.utils import set_seed
from tqdm.auto import tqdm

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


def get_dataloaders(accelerator, batch_size):
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    with accelerator.main_process_first():
        train = datasets.MNIST("data", train=True, download=True, transform=transform)
        test = datasets.MNIST("data", train=False, download=True, transform=transform)
    return DataLoader(train, shuffle=True, batch_size=batch_size), DataLoader(test, batch_size=256)


def training_function(config):
    accelerator = Accelerator(mixed_precision="fp16")
    set_seed(config["seed"])
    train_dl, eval_dl = get_dataloaders(accelerator, config["batch_size"])
    model = Net()
    optimizer = optim.AdamW(model.parameters(), lr=config["lr"], weight_decay=0.01)
    lr_scheduler = optim.lr_scheduler.LinearLR(
        optimizer, start_factor=1.0, end_factor=0.0, total_iters=config["num_epochs"])
    model, optimizer, train_dl, eval_dl, lr_scheduler = accelerator.prepare(
        model, optimizer, train_dl, eval_dl, lr_scheduler)
    bar = tqdm(range(config["num_epochs"] * len(train_dl)), disable=not accelerator.is_local_main_process)
    for epoch in range(config["num_epochs"]):
        model.train()
        for x, y in train_dl:
            loss = F.cross_entropy(model(x), y)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            bar.update(1)
        lr_scheduler.step()
        model.eval()
        correct = total = 0
        for x, y in eval_dl:
            with torch.no_grad():
                predictions = model(x).argmax(dim=-1)
            predictions, references = accelerator.gather_for_metrics((predictions, y))
            correct += (predictions == references).sum().item()
            total += references.shape[0]
        accelerator.print(f"epoch {epoch}: {100 * correct / total:.2f}")
    accelerator.wait_for_everyone()
    accelerator.save(accelerator.unwrap_model(model).state_dict(), "model.pth")


if __name__ == "__main__":
    training_function({"lr": 1e-3, "num_epochs": 3, "seed": 42, "batch_size": 64})
