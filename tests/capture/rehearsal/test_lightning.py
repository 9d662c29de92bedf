"""The stand-in for Lightning trains as Lightning does: compared with loops written by hand."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from grader.capture import siblings
from grader.capture.rehearsal import absorbed, lightning, packages, trainer
from grader.capture.rehearsal.callbacks import EarlyStopping
from tests.capture.rehearsal.student import undone


@pytest.fixture(autouse=True)
def _installed(monkeypatch):
    with undone():
        monkeypatch.setattr(trainer, "_told", [])
        lightning.install()
        packages.install(lambda _: None, asked)
        yield


def asked() -> packages.Asked:
    return "student" if siblings.asking()[0] == __file__ else "library"


def loader(count: int = 10, size: int = 4) -> DataLoader:
    images = torch.rand(count, 3, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(images, torch.arange(count) % 2), size)


class Net(lightning.LightningModule):
    """Remembers the rate of every step."""

    def __init__(self, lr: float = 0.1, plan: str = "none", **more: Any) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.fc = nn.Linear(3, 2)
        self.rates: list[float] = []

    def forward(self, x):
        return self.fc(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.rates.append(self.optimizers().param_groups[0]["lr"])
        loss = functional.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        assert not self.training
        self.log("val_loss", functional.cross_entropy(self(x), y))
        self.log("epoch", float(self.current_epoch))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams.lr)
        halve = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="min", patience=0)
        return {
            "none": optimizer,
            "lists": ([optimizer], [halve]),
            "tuple": (optimizer,),
            "dictionary": {"optimizer": optimizer, "lr_scheduler": halve},
            "steps": {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": halve, "interval": "step", "frequency": 2},
            },
            "plateau": {"optimizer": optimizer, "lr_scheduler": plateau, "monitor": "epoch"},
            "list of dictionaries": [{"optimizer": optimizer, "lr_scheduler": halve}],
        }[self.hparams.plan]


def fitted(plan: str = "none", *, validated: bool = False, **settings: Any) -> Net:
    net = Net(plan=plan)
    trainer.Trainer(max_epochs=2, **settings).fit(net, loader(), loader() if validated else None)
    return net


@pytest.mark.parametrize(
    ("plan", "rates"),
    [
        ("none", [0.1] * 6),
        ("tuple", [0.1] * 6),
        ("lists", [0.1] * 3 + [0.05] * 3),
        ("dictionary", [0.1] * 3 + [0.05] * 3),
        ("list of dictionaries", [0.1] * 3 + [0.05] * 3),
        ("steps", [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]),
    ],
)
def test_schedulers_step_when_they_are_told(plan, rates):
    """10 images in batches of 4: three steps an epoch."""
    assert fitted(plan).rates == pytest.approx(rates)


def test_a_plateau_rule_follows_what_it_monitors():
    """ "epoch" grows, so a rule that wants it to fall cuts the rate after the second epoch."""
    net = Net(plan="plateau")
    trainer.Trainer(max_epochs=4).fit(net, loader(), loader())
    assert net.rates == pytest.approx([0.1] * 6 + [0.01] * 3 + [0.001] * 3)


def test_a_plateau_rule_whose_metric_is_not_logged_says_so():
    with pytest.raises(RuntimeError, match="watches 'epoch', which is not logged"):
        fitted("plateau")


def test_it_trains_as_a_plain_loop_does():
    torch.manual_seed(0)
    net = Net()
    twin = nn.Linear(3, 2)
    twin.load_state_dict(net.fc.state_dict())
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    for _ in range(2):
        for x, y in loader():
            optimizer.zero_grad()
            functional.cross_entropy(twin(x), y).backward()
            nn.utils.clip_grad_norm_(twin.parameters(), 0.01)
            optimizer.step()
    trainer.Trainer(max_epochs=2, gradient_clip_val=0.01).fit(net, loader())
    assert torch.equal(net.fc.weight, twin.weight)


def test_accumulated_batches_make_one_step():
    made = trainer.Trainer(max_epochs=2, accumulate_grad_batches=2)
    made.fit(Net(), loader())
    assert made.global_step == 4  # of three batches: two, and the last alone


def test_early_stopping_counts_epochs_without_improvement():
    """ "epoch" never falls: the first check sets the best, the next two do not improve."""
    made = trainer.Trainer(max_epochs=50, callbacks=[EarlyStopping("epoch", patience=2)])
    made.fit(Net(), loader(), loader())
    assert made.current_epoch == 3


def test_early_stopping_of_what_nobody_logs_fails_as_in_lightning():
    with pytest.raises(RuntimeError, match="EarlyStopping watches 'nothing'"):
        fitted(callbacks=[EarlyStopping("nothing")])


def test_steps_are_planned_as_one_cycle_asks():
    made = trainer.Trainer(max_epochs=5, accumulate_grad_batches=2)
    made.train_dataloader = loader()
    assert made.estimated_stepping_batches == 10


def test_a_mean_over_an_epoch_weighs_batches_by_their_size():
    """Batches of 4, 4 and 2 images that log 0, 0 and 1: 2 / 10."""

    class Logs(Net):
        def validation_step(self, batch, batch_idx):
            self.log("late", float(batch_idx == 2))

    made = trainer.Trainer(max_epochs=1)
    made.fit(Logs(), loader(), loader())
    assert made.callback_metrics["late"].item() == pytest.approx(0.2)


def test_saved_arguments():
    net = Net(0.3, depth=4)
    assert net.hparams == {"lr": 0.3, "plan": "none", "depth": 4}
    assert net.hparams.depth == 4


def test_what_the_grader_cannot_follow_is_said(monkeypatch):
    said: list[tuple[str, str]] = []
    trainer.install(lambda kind, text: said.append((kind, text)))
    fitted(precision="16-mixed", devices=2)
    assert said == [
        ("note", "It trains in mixed precision (16-mixed), the grader does not"),
        ("obstacle", "It trains on 2 devices, and their batches make one step"),
    ]


def test_an_error_in_the_training_is_told():
    said: list[tuple[str, str]] = []
    trainer.install(lambda kind, text: said.append((kind, text)))

    class Fails(Net):
        def training_step(self, batch, batch_idx):
            raise ValueError("shape")

    with pytest.raises(ValueError, match="shape"):
        trainer.Trainer(max_epochs=1).fit(Fails(), loader())
    assert said == [("left", "ValueError: shape")]


def test_it_is_found_under_all_its_names():
    for name in ("lightning", "pytorch_lightning", "lightning.pytorch"):
        found = importlib.import_module(name)
        assert found.LightningModule is lightning.LightningModule
        assert found.Trainer is trainer.Trainer
    early = importlib.import_module("pytorch_lightning.callbacks.early_stopping")
    assert (
        early.EarlyStopping is importlib.import_module("lightning").pytorch.callbacks.EarlyStopping
    )
    assert isinstance(
        importlib.import_module("lightning.pytorch.loggers").CSVLogger("logs"), absorbed.Absorbed
    )


def test_steps_by_hand():
    class ByHand(Net):
        automatic_optimization = False

        def training_step(self, batch, batch_idx):
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(functional.cross_entropy(self(batch[0]), batch[1]))
            optimizer.step()

    net = ByHand()
    before = net.fc.weight.clone()
    trainer.Trainer(max_epochs=1).fit(net, loader())
    assert not torch.equal(before, net.fc.weight)


def test_accuracy_of_torchmetrics():
    metrics = importlib.import_module("torchmetrics")
    scores = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
    labels = torch.tensor([0, 1, 1, 0])
    found = metrics.Accuracy(task="multiclass", num_classes=2)
    assert found(scores, labels).item() == 0.75
    found.update(scores[:1], labels[:1])
    assert found.compute().item() == pytest.approx(0.8)
    functional_ = importlib.import_module("torchmetrics.functional")
    assert functional_.accuracy(scores.argmax(1), labels, task="multiclass").item() == 0.75
    assert isinstance(metrics.ConfusionMatrix(), absorbed.Absorbed)
