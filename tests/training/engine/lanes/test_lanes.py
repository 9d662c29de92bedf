"""Training by machine code is the plain loop's, up to rounding; what cannot be is torch's."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from grader import network
from grader.errors import GraderError
from grader.training import run
from grader.training.engine import loop
from grader.training.engine.eager import Eager
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import arena, lanes, machine, self_check
from grader.training.records import INTERRUPTED, Feedback
from grader.training.run import train_seeds
from grader.training.task import Task
from tests.training.engine.test_loop import (
    BATCH,
    EPOCHS,
    PLATEAU,
    images,
    program,
    values,
    with_second_look,
)

NAMES = ["conv.weight", "conv.bias", "norm.weight", "norm.bias", "linear.weight", "linear.bias"]
ALL = {"parameters": NAMES}
NOISE = {"conv.bias", "norm.running_mean"}
"""The bias before batch norm, which takes it away again: where it drifts to, nobody sees."""


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch, tmp_path):
    """Tests share the cores; and no code of an earlier run is loaded."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(machine.platformdirs, "user_cache_path", lambda *_, **__: tmp_path)
    yield
    torch.set_num_threads(before)


def trained(engine: str, wanted: Any = None, data: Any = None, **told: Any) -> Any:
    (done,) = train_seeds(
        Task(wanted or program(), data or images(), engine=engine, **told), {3: values()}
    )
    return done


def assert_same(wanted: Any = None, data: Any = None, **told: Any) -> Any:
    ours, theirs = (trained(engine, wanted, data, **told) for engine in ("lanes", "torch"))
    assert ours.engine.startswith("machine code")
    assert dataclasses.replace(ours.ending, second_look=None) == dataclasses.replace(
        theirs.ending, second_look=None
    )
    assert len(ours.epochs) == len(theirs.epochs)
    for mine, other in zip(ours.epochs, theirs.epochs, strict=True):
        assert (mine.epoch, mine.images) == (other.epoch, other.images)
        assert (mine.learning_rate, mine.momentum) == (other.learning_rate, other.momentum)
        assert mine.train_loss == pytest.approx(other.train_loss, rel=1e-4)
        torch.testing.assert_close(mine.logits, other.logits, rtol=1e-3, atol=1e-4)
    return ours


def optimizer(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "groups": [{**ALL, "settings": settings}]}


def momentum(value: float) -> dict[str, Any]:
    steps = EPOCHS * 3
    return {
        "learning_rate": [[{"value": 0.05, "steps": steps}]],
        "momentum": [[{"value": value, "steps": steps}]],
    }


RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum": {
        "optimizer": optimizer("SGD", nesterov=True, weight_decay=1e-3),
        "schedule": momentum(0.9),
    },
    "RMSprop": {"optimizer": optimizer("RMSprop", eps=1e-2)},
    "Adagrad": {"optimizer": optimizer("Adagrad", initial_accumulator_value=0.1)},
    "clipped by norm": {"clip_norm": 0.05},
    "clipped by value": {"clip_value": 0.01},
    "smoothed": {"loss": {"name": "cross_entropy", "label_smoothing": 0.1}},
    "summed": {"loss": {"name": "cross_entropy", "reduction": "sum"}},
    "weighted": {"loss": {"name": "cross_entropy", "weight": [0.5 + 0.1 * k for k in range(10)]}},
    "penalties": {
        "penalties": [
            {"kind": "l1", "factor": 1e-3, "parameters": NAMES},
            {"kind": "l2", "factor": 1e-2, "parameters": ["linear.weight"]},
        ]
    },
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_as_in_the_plain_loop(name):
    assert_same(program(**RECIPES[name]))


def test_groups_of_parameters_learn_at_their_own_rates():
    steps = EPOCHS * 3
    groups = [
        {"parameters": NAMES[:3], "settings": {}},
        {"parameters": NAMES[3:], "settings": {"weight_decay": 0.1}},
    ]
    rates = [[{"value": rate, "steps": steps}] for rate in (0.1, 0.01)]
    assert_same(
        program(optimizer={"name": "SGD", "groups": groups}, schedule={"learning_rate": rates})
    )


def test_a_plateau_and_a_stop_follow_their_metric():
    def feedback(seed: int, epoch: Any) -> Feedback:
        return Feedback(accuracy=epoch.epoch / 10, loss=1.0)

    done = assert_same(program(plateau=PLATEAU), after_epoch=feedback)
    assert [epoch.learning_rate for epoch in done.epochs] == [0.1, 0.1, 0.05]
    done = assert_same(program(stop_at_accuracy=0.2), after_epoch=feedback)
    assert len(done.epochs) == 2


@pytest.mark.parametrize(("batch", "steps"), [(BATCH, 3), (40, 1), (64, 1), (7, 6)])
def test_batches_of_any_size(batch, steps):
    schedule = {"learning_rate": [[{"value": 0.05, "steps": EPOCHS * steps}]]}
    assert_same(program(batch_size=batch, steps_per_epoch=steps, schedule=schedule))


def test_whole_batches_of_some_of_the_images():
    schedule = {"learning_rate": [[{"value": 0.05, "steps": EPOCHS * 2}]]}
    some = {"images": 35, "drop_last": True, "steps_per_epoch": 2, "schedule": schedule}
    assert_same(program(**some))


def test_the_second_look_is_taken_where_a_run_is_finished():
    ours, theirs = (trained(engine, data=with_second_look()) for engine in ("lanes", "torch"))
    torch.testing.assert_close(
        ours.ending.second_look, theirs.ending.second_look, rtol=1e-3, atol=1e-4
    )


def test_the_same_seed_gives_the_same_bits_and_another_other_dropout():
    one, again = (trained("lanes", program(dropout=0.5)) for _ in range(2))
    for mine, other in zip(one.epochs, again.epochs, strict=True):
        assert mine.train_loss == other.train_loss
        assert torch.equal(mine.logits, other.logits)
    losses = {epoch.train_loss for epoch in one.epochs}
    assert len(losses) == EPOCHS


def test_weights_and_statistics_are_the_networks_own_again_after_training():
    wanted = program()
    nets = [network.build(wanted, values()) for _ in range(2)]
    before = {name: tensor.data_ptr() for name, tensor in nets[0].weights.items()}
    engine = lanes.Lanes().train(
        {3: nets[0]}, wanted, images(), epochs=None, budget_seconds=60.0, on_step=lambda *_: None
    )
    for _ in engine:
        pass
    for _ in loop.train(nets[1], wanted.recipe, images(), seed=3):
        pass
    assert {name: tensor.data_ptr() for name, tensor in nets[0].weights.items()} == before
    for name, tensor in nets[0].weights.items():
        if name not in NOISE:
            torch.testing.assert_close(tensor, nets[1].weights[name], rtol=1e-3, atol=1e-4)


def test_ctrl_c_keeps_what_was_finished():
    def interrupt(seed: int, epoch: Any) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    done = trained("lanes", after_epoch=interrupt)
    assert (len(done.epochs), done.ending) == (2, INTERRUPTED)
    assert done.parameters_moved


def test_a_used_up_budget_and_a_diverged_run_end_as_in_the_plain_loop():
    assert trained("lanes", budget_seconds=0.0).ending.out_of_time
    schedule = {"learning_rate": [[{"value": 1e30, "steps": EPOCHS * 3}]]}
    ours, theirs = (trained(engine, program(schedule=schedule)) for engine in ("lanes", "torch"))
    assert ours.ending == theirs.ending
    assert not ours.ending.finished


def test_what_has_no_code_is_left_to_torch_and_the_report_names_it(monkeypatch):
    text = program().to_json().replace("aten.relu.default", "aten.sin.default")
    wanted = type(program()).model_validate_json(text)
    done, plain = trained("auto", wanted), trained("torch", wanted)
    assert done.engine == f"{plain.engine} (no machine code for sin)"
    assert [epoch.train_loss for epoch in done.epochs] == [
        epoch.train_loss for epoch in plain.epochs
    ]
    # Whoever asked for it is told; it is not the student's fault.
    with pytest.raises(GraderError, match="no machine code for sin"):
        trained("lanes", wanted)


def test_where_machine_code_is_asked_for_no_other_engine_trains(monkeypatch):
    class Anywhere(Eager):
        """Another fast engine."""

    monkeypatch.setattr(run, "FAST_ENGINES", (Anywhere(),))
    with pytest.raises(GraderError, match="--engine auto"):
        trained("lanes")


def test_where_memory_is_short_torch_trains(monkeypatch):
    def refused(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(arena, "np", SimpleNamespace(zeros=refused, float32=np.float32))
    assert trained("auto").engine.endswith("GiB of memory, which there are not)")


def test_without_llvmlite_torch_trains(monkeypatch):
    def absent() -> Any:
        raise CannotTrainError("llvmlite is not installed")

    monkeypatch.setattr(machine, "_llvm", absent)
    assert trained("auto").engine.endswith("(llvmlite is not installed)")


def test_on_a_processor_that_llvm_does_not_know_torch_trains(monkeypatch):
    def unknown() -> Any:
        raise RuntimeError("no features")

    monkeypatch.setattr(machine._llvm(), "get_host_cpu_features", unknown)
    assert trained("auto").engine.endswith("(this processor is not known: no features)")


def test_where_the_system_refuses_machine_code_torch_trains(monkeypatch):
    def refused(*_: Any) -> Any:
        raise RuntimeError("no memory that may be executed\nat all")

    monkeypatch.setattr(machine._llvm(), "create_mcjit_compiler", refused)
    assert "machine code cannot be loaded: no memory that may be executed" in trained("auto").engine


@pytest.mark.parametrize(("right_one", "wrong_one"), [("fmul", "fsub"), ("ole", "oge")])
def test_code_that_is_wrong_does_not_train(monkeypatch, right_one, wrong_one):
    right = machine.module

    def wrong(texts: Any, target: Any) -> str:
        return right(texts, target).replace(f" {right_one} ", f" {wrong_one} ")

    monkeypatch.setattr(machine, "module", wrong)
    done = trained("auto")
    assert "its machine code" in done.engine


def test_code_is_compiled_once_and_then_loaded(monkeypatch, tmp_path):
    calls = []
    compile_ = machine.machine_code
    monkeypatch.setattr(
        machine, "machine_code", lambda *a, **k: calls.append(a) or compile_(*a, **k)
    )
    first, second = trained("lanes"), trained("lanes")
    assert len(calls) == 1
    assert first.epochs[-1].train_loss == second.epochs[-1].train_loss
    (file,) = (tmp_path / "code").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    file.write_bytes(file.read_bytes()[:-1])  # a disk that was full
    assert trained("lanes").epochs[-1].train_loss == first.epochs[-1].train_loss
    assert len(calls) == 2


def test_code_that_others_may_have_written_is_not_run(monkeypatch, tmp_path):
    trained("lanes")
    (file,) = (tmp_path / "code").iterdir()
    file.chmod(0o666)
    calls = []
    compile_ = machine.machine_code
    monkeypatch.setattr(
        machine, "machine_code", lambda *a, **k: calls.append(a) or compile_(*a, **k)
    )
    trained("lanes")
    assert len(calls) == 1


def test_a_self_check_is_taken_of_every_network(monkeypatch):
    seen = []
    monkeypatch.setattr(self_check, "check", lambda *a: seen.append(a))
    trained("lanes")
    assert len(seen) == 1
