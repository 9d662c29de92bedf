"""The whole way: a listing goes into a locked child, a Rehearsal comes out, at every level."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from grader.errors import SubmissionError
from grader.program.listing import Listing
from grader.program.rehearsed import Rehearsal, RehearsalRequest
from grader.sandbox import child
from tests.capture.rehearsal.student import folder, notebook

NET = """
import torch
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3)
        self.fc = nn.Linear(width, 10)

    def forward(self, x):
        x = F.relu(self.conv(x)).mean((2, 3))
        return F.log_softmax(self.fc(x), 1)
"""

DATA = """
from torchvision import datasets, transforms
from torch.utils.data import DataLoader
from tqdm import tqdm
import matplotlib.pyplot as plt

def loaders(batch_size):
    transform = transforms.Compose([
        transforms.RandomRotation(7),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ])
    train = datasets.MNIST("./data", train=True, download=True, transform=transform)
    test = datasets.MNIST("./data", train=False, transform=transform)
    return DataLoader(train, batch_size, shuffle=True), DataLoader(test, 1000)
"""

TRAIN = """
device = "cuda" if torch.cuda.is_available() else "cpu"
model = Net(width=16).to(device)
train_loader, test_loader = loaders(128)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
for epoch in range(1, 5):
    model.train()
    for data, target in tqdm(train_loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
    scheduler.step()
    model.eval()
    right = 0
    with torch.no_grad():
        for data, target in test_loader:
            right += (model(data.to(device)).argmax(1) == target.to(device)).sum().item()
    print(f"epoch {epoch}: {right / len(test_loader.dataset):.4f}")
plt.plot([1, 2])
"""

SCRIPT = Listing.of_file("train.py", NET + DATA + TRAIN)
CELLS = notebook(
    "!pip install torchinfo\n%matplotlib inline" + NET,
    "%%time\nnot python (",
    ("data.py", DATA),
    "import torch\nfrom data import *",
    TRAIN,
)
FOLDER = folder(
    {
        "src/train.py": "from src.model import *\nfrom .data import loaders, tqdm, plt\n" + TRAIN,
        "src/model.py": NET,
        "src/data.py": DATA,
    }
)


def asked(listing: Listing, **changes) -> RehearsalRequest:
    values = {"seconds": 10.0, "dataset": "mnist", "train_images": 60_000, "test_images": 10_000}
    values |= {"input_shape": (1, 28, 28), "classes": 10, "most_steps": 1_000_000} | changes
    return RehearsalRequest(listing=listing, **values)


class Fresh:
    """Level 1."""

    def run(self, request, *, kind, prepare):
        return child.run(request, kind=kind)


@pytest.fixture(params=[1, 2, 3])
def each_level(request):
    """A sandbox of each level: for what locks, limits, folders and descriptors could change."""
    if request.param == 1:
        return Fresh()
    return request.getfixturevalue("locked" if request.param == 2 else "boxed")


@pytest.fixture
def sandbox(proven):
    """The strongest one: for what a rehearsal sees in a file, which is the same in each."""
    return proven


def rehearsed(sandbox, listing: Listing, **changes) -> Rehearsal:
    request = asked(listing, **changes).model_dump(mode="json")
    (said,) = sandbox.run(request, kind="rehearse", prepare=["torchvision", "rehearsal"])
    return Rehearsal.model_validate(json.loads(said), strict=False)


@pytest.mark.parametrize("listing", [SCRIPT, CELLS], ids=["script", "notebook"])
def test_the_recipe_of_a_whole_training(sandbox, listing):
    check_whole_training(listing, rehearsed(sandbox, listing))


def test_the_recipe_of_a_whole_training_in_a_folder(each_level):
    check_whole_training(FOLDER, rehearsed(each_level, FOLDER))


def check_whole_training(listing, found):
    (training,) = found.trainings
    assert training.obstacles == ()
    recipe = training.recipe
    assert recipe is not None
    assert (recipe.epochs, recipe.batch_size, recipe.steps_per_epoch) == (4, 128, 469)
    assert recipe.optimizer.name == "SGD"
    rates = [(round(run.value, 6), run.steps) for run in recipe.schedule.learning_rate[0]]
    assert rates == [(0.05, 938), (0.005, 938)]
    assert recipe.augmentations[0].name == "RandomRotation"
    lines = (NET + DATA + TRAIN).split("\n")
    if listing is SCRIPT:
        assert lines[training.line - 1].startswith("optimizer = ")
    place = listing.place(training.line)
    part = listing.part(training.line)
    assert part.text.split("\n")[place.line - 1].startswith("optimizer = ")
    assert training.network.name == "Net"
    assert training.network.keywords == {"width": 16}
    assert set(found.stand_ins) == {"tqdm", "matplotlib"}
    assert "epoch 4: " in found.printed
    assert not found.out_of_time
    troubles = [remark.text for remark in found.troubles]
    assert len(troubles) == (listing is CELLS), troubles


def test_an_endless_file_is_stopped(each_level):
    text = "x = 1\nwhile x:\n    x = sum(range(10_000))"
    found = rehearsed(each_level, Listing.of_file("train.py", text), seconds=0.3)
    assert found.out_of_time
    assert found.slowest == 3
    assert found.trainings == ()


def test_an_error_that_the_file_catches_is_not_the_end_of_its_training(sandbox):
    source = TRAIN.replace("    scheduler.step()", "    scheduler.step(); 1 / (epoch - 2)")
    lines = source.strip().split("\n")
    at = next(index for index, line in enumerate(lines) if line.startswith("for epoch"))
    body = "\n".join(
        ["try:", *(f"    {line}" for line in lines[at:]), "except Exception as e:", "    print(e)"]
    )
    text = NET + DATA + "\n".join(lines[:at]) + "\n" + body
    found = rehearsed(sandbox, Listing.of_file("train.py", text))
    (training,) = found.trainings
    assert training.recipe is None
    assert any("division by zero" in remark.text for remark in training.obstacles)


def test_arguments_that_must_be_given_and_a_keyboard(each_level):
    text = dedent(
        """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--epochs", type=int, default=3)
        parser.add_argument("--data", required=True)
        args = parser.parse_args()
        """
    )
    found = rehearsed(each_level, Listing.of_file("train.py", text))
    (trouble,) = found.troubles
    assert trouble.line == 6
    assert "needs arguments on its command line" in trouble.text
    assert "--data" in trouble.text
    found = rehearsed(each_level, Listing.of_file("train.py", "x = 1\nepochs = int(input('?'))"))
    assert found.troubles[0].line == 2
    assert "waits for input()" in found.troubles[0].text


def test_files_that_the_script_reads_and_writes(each_level):
    files = {
        "src/train.py": "import yaml_is_not_needed, os\n"
        "lines = open('conf/a.txt').read(), open('b.txt').read()\n"
        "open('logs/out.txt', 'w').write('x')\nos.chdir('/content/drive')\n"
        "os.system('nvidia-smi')\nimport subprocess\nsubprocess.check_call(['pip', 'list'])\n"
        "print(lines, open('logs/out.txt').read())",
        "conf/a.txt": "one",
        "src/b.txt": "two",
    }
    found = rehearsed(each_level, folder(files))
    assert found.troubles == ()
    assert found.printed == "('one', 'two') x\n"


def test_a_guess_counts_only_where_it_may_have_decided_something(sandbox):
    """A condition on scikit-learn after the training is over decided nothing of it."""
    after = (
        "from sklearn.metrics import f1_score\nif f1_score([1], [1]) > 0.9:\n    print('good')\n"
    )
    found = rehearsed(sandbox, Listing.of_file("train.py", NET + DATA + TRAIN + after))
    assert found.guesses == ()
    inside = TRAIN.replace("    scheduler.step()", "    if f1_score([1], [1]) > 0.9: break")
    text = "from sklearn.metrics import f1_score\n" + NET + DATA + inside
    (guess,) = rehearsed(sandbox, Listing.of_file("train.py", text)).guesses
    assert "sklearn" in guess.text


@pytest.mark.parametrize("level", ["fresh", "proven"])
def test_a_file_that_switches_the_clock_off_is_ended(request, level):
    """It takes 5 seconds of processor time, and a box changes nothing of it: not at each level."""
    sandbox = Fresh() if level == "fresh" else request.getfixturevalue(level)
    text = "import signal\nsignal.setitimer(signal.ITIMER_PROF, 0)\nwhile True: pass"
    with pytest.raises(SubmissionError, match="it used more processor time than it may"):
        rehearsed(sandbox, Listing.of_file("train.py", text), seconds=0.2)


LIGHTNING = (
    NET.replace("nn.Module", "pl.LightningModule").replace(
        "from torch import nn",
        "from torch import nn\nimport pytorch_lightning as pl\nimport torchmetrics.functional as M",
    )
    + """
    def training_step(self, batch, index):
        x, y = batch
        loss = F.nll_loss(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, index):
        x, y = batch
        self.log("val_acc", M.accuracy(self(x), y, task="multiclass", num_classes=10))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.01)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 0.01, total_steps=self.trainer.estimated_stepping_batches
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}
"""
)


def test_a_training_of_lightning(sandbox):
    train = (
        "train, test = loaders(100)\n"
        "trainer = pl.Trainer(max_epochs=3, gradient_clip_val=1.0, accelerator='gpu', devices=1)\n"
        "trainer.fit(Net(width=4), train, test)\ntrainer.test(dataloaders=test)\n"
    )
    found = rehearsed(sandbox, Listing.of_file("train.py", LIGHTNING + DATA + train))
    (training,) = found.trainings
    assert (training.obstacles, found.troubles, found.guesses) == ((), (), ())
    recipe = training.recipe
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer.name) == (3, 100, "AdamW")
    assert recipe.clip_norm == 1.0
    assert len(recipe.schedule.learning_rate[0]) > 1000
    assert training.network.keywords == {"width": 4}


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("def f(): f()\nf()", (1, "RecursionError: maximum recursion depth exceeded")),
        ("class E(Exception):\n    def __str__(self): raise OSError\nraise E()", (3, "E")),
        ("class E(BaseException): pass\nraise E('a')", (2, "E: a")),
    ],
    ids=["recurses", "says nothing", "raises a BaseException"],
)
def test_what_fails_is_said_in_a_line(sandbox, text, trouble):
    check_trouble(rehearsed(sandbox, Listing.of_file("train.py", text)), trouble)


def test_a_file_that_takes_too_much_memory_is_told_so(each_level):
    found = rehearsed(each_level, Listing.of_file("train.py", "x = bytearray(20 * 2**30)"))
    check_trouble(found, (1, "MemoryError"))


@pytest.mark.parametrize("level", ["locked", "boxed"])
def test_a_file_that_forks_is_told_that_it_may_not(request, level):
    """Level 1 lets it fork."""
    zygote = request.getfixturevalue(level)
    found = rehearsed(zygote, Listing.of_file("train.py", "import os\nos.fork()"))
    check_trouble(found, (2, "PermissionError: [Errno 1] Operation not permitted"))


def check_trouble(found, trouble):
    (said,) = found.troubles
    assert (said.line, said.text) == (trouble[0], f"It stops with an error: {trouble[1]}")


def test_what_a_file_prints_without_end_is_bounded(each_level):
    found = rehearsed(
        each_level, Listing.of_file("train.py", "while True: print('x')"), seconds=0.3
    )
    assert found.out_of_time
    assert len(found.printed) <= 1000


def test_a_training_in_exec_is_seen_all_the_same(sandbox):
    text = f"{NET}{DATA}exec({TRAIN!r})"
    (training,) = rehearsed(sandbox, Listing.of_file("train.py", text)).trainings
    assert training.recipe is not None
    assert training.recipe.steps_per_epoch == 469


def test_a_program_that_a_notebook_writes_and_starts(sandbox):
    cells = notebook(
        ("net.py", f"%%writefile net.py{NET}"),
        ("train.py", f"%%writefile train.py\nfrom net import *\n{DATA}{TRAIN}"),
        "!python train.py --anything",
    )
    found = rehearsed(sandbox, cells)
    assert found.troubles == ()
    assert found.trainings[0].network.file == "net.py"
    assert found.trainings[0].recipe is not None
