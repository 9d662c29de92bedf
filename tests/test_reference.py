"""The reference models have the parameters and receptive fields that were published of them."""

import ast
import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from grader.assignment import load_all
from grader.checks.names import check_names
from grader.errors import GraderError
from grader.report import Verdict, whole_analysis
from grader.sandbox import isolation
from grader.storage import json_text
from reference import __main__ as command
from reference import measurement
from tests import report_examples, static_grading

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "reference"
MOST_BYTES = 30_000
"""Of each JSON file on a network, with curves of thousands of steps."""
CLAIMS = tomllib.loads((REFERENCE / "claims.toml").read_text(encoding="utf-8"))
EXAMPLE = ROOT / "assignments" / "mnist_8k" / "submissions" / "example.py"

# Recomputed by hand, layer by layer; kept apart from claims.toml so that neither can drift alone.
TRAINABLE = {
    "mnist_20k/model_a": 26_202,
    "mnist_20k/model_b": 16_834,
    "mnist_20k/dual_block": 19_578,
    "mnist_20k/dsconv_se": 17_682,
    "mnist_8k/sub_8k": 6_260,
    "mnist_8k/sub_8k_readme": 6_198,
    "mnist_8k/c1_foundation": 1_674,
    "mnist_8k/c2_enhanced": 5_208,
    "mnist_8k/c3_final": 6_188,
}
RECEPTIVE_FIELD = {
    "mnist_20k/model_a": 24,
    "mnist_20k/model_b": 24,
    "mnist_20k/dual_block": 18,
    "mnist_20k/dsconv_se": 36,
    "mnist_8k/sub_8k": 28,
    "mnist_8k/sub_8k_readme": 28,
    "mnist_8k/c1_foundation": 10,
    "mnist_8k/c2_enhanced": 16,
    "mnist_8k/c3_final": 24,
}
NETWORKS = {
    "model_a": "ModelA",
    "model_b": "ModelB",
    "dual_block": "DualBlock",
    "dsconv_se": "DSConvSE",
    "sub_8k": "Net",
    "sub_8k_readme": "Net",
    "c1_foundation": "Foundation",
    "c2_enhanced": "Enhanced",
    "c3_final": "Final",
    "example": "Net",
}


def load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"reference_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reference(name: str) -> ModuleType:
    return load_module(REFERENCE / f"{name}.py")


def network(module: ModuleType) -> nn.Module:
    return getattr(module, NETWORKS[module.__name__.removeprefix("reference_")])()


def trainable(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def recipe(name: str):
    """(optimizer, what configure_optimizers returned) for 10 steps per epoch."""
    module = reference(name)
    given = module.configure_optimizers(network(module), steps_per_epoch=10, epochs=module.EPOCHS)
    return (given["optimizer"] if isinstance(given, dict) else given), given


def entry(name: str) -> dict:
    assignment, file = name.split("/")
    return CLAIMS[assignment][file]


def reach(model: nn.Module) -> int:
    """Pixels across, from the windows of all modules in order; right for a chain of layers."""
    pixels = jump = 1
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            (kernel, *_), (stride, *_), (dilation, *_) = (
                value if isinstance(value, tuple) else (value,)
                for value in (module.kernel_size, module.stride, module.dilation)
            )
            pixels += dilation * (kernel - 1) * jump
            jump *= stride
    return pixels


@pytest.mark.parametrize(("name", "count"), TRAINABLE.items())
def test_a_reference_has_just_the_published_number_of_parameters(name, count):
    assert trainable(network(reference(name))) == count


@pytest.mark.parametrize(("name", "pixels"), RECEPTIVE_FIELD.items())
def test_a_reference_sees_just_as_far_as_computed_by_hand(name, pixels):
    assert reach(network(reference(name))) == pixels


@pytest.mark.parametrize("name", TRAINABLE)
@pytest.mark.parametrize("training", [True, False])
def test_a_reference_gives_ten_numbers_per_image(name, training):
    model = network(reference(name)).train(training)
    outputs = model(torch.rand(2, 1, 28, 28))
    assert outputs.shape == (2, 10)
    assert outputs.isfinite().all()


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_references_recipe_can_be_built_and_stepped(name):
    module = reference(name)
    model = network(module).train()
    given = module.configure_optimizers(model, steps_per_epoch=10, epochs=module.EPOCHS)
    optimizer = given["optimizer"] if isinstance(given, dict) else given
    optimizer = optimizer[0] if isinstance(optimizer, tuple) else optimizer
    module.criterion(model(torch.rand(4, 1, 28, 28)), torch.tensor([0, 1, 2, 3])).backward()
    optimizer.step()


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_reference_trains_for_as_many_epochs_as_its_claim_says_and_its_assignment_allows(name):
    epochs = reference(name).EPOCHS
    assert epochs == entry(name)["epochs"]
    assert epochs <= load_all(ROOT)[name.split("/")[0]].limits.epochs


def test_every_reference_has_a_claim_and_every_claim_a_reference():
    files = {
        path.relative_to(REFERENCE).with_suffix("").as_posix() for path in REFERENCE.glob("*/*.py")
    }
    assert (
        files
        == {f"{assignment}/{file}" for assignment, table in CLAIMS.items() for file in table}
        == set(TRAINABLE)
    )


def test_all_claims_have_the_same_keys():
    assert len({tuple(entry(name)) for name in TRAINABLE}) == 1


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_claim_says_what_was_counted(name):
    claim = entry(name)
    assert (claim["parameters"], claim["receptive_field"]) == (
        TRAINABLE[name],
        RECEPTIVE_FIELD[name],
    )


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_claims_accuracy_says_what_it_is_of(name):
    claim = entry(name)
    assert 0.9 < claim["accuracy_claimed"] < 1
    assert claim["accuracy_is"] in {"best", "last", "mean_last_3"}
    assert claim["accuracy_on"] in {"test", "training"}
    assert set(claim["fails"]) <= set(check_names())


def test_the_claim_about_the_sub_8k_network_is_the_mean_of_its_last_three_epochs():
    assert entry("mnist_8k/sub_8k")["accuracy_claimed"] == pytest.approx(
        (0.9942 + 0.9940 + 0.9944) / 3
    )


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_reference_fails_just_the_required_static_checks_that_are_said(name):
    assignment = load_all(ROOT)[name.split("/")[0]]
    found = static_grading.report((REFERENCE / f"{name}.py").read_text(), assignment=assignment)
    required = [check for check in found.checks if check.required]
    failed = [check.name for check in required if check.verdict is Verdict.FAILED]
    assert sorted(failed) == sorted(entry(name)["fails"])
    assert len(json_text.text(whole_analysis(found))) < MOST_BYTES
    assert len(json_text.of_report(found)) < MOST_BYTES


def test_the_results_page_is_what_the_measurements_say():
    expected = measurement.results(measurement.read_claims(), measurement.read_measurements())
    assert measurement.RESULTS.read_text(encoding="utf-8") == expected


def test_where_nothing_is_left_to_measure_the_page_is_written_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(command, "_seeds_done", lambda *_: 1)
    monkeypatch.setattr(measurement, "RESULTS", tmp_path / "RESULTS.md")
    assert command.measure([], seeds=1, device="cpu", data=None, remark="") == 0
    expected = measurement.results(measurement.read_claims(), measurement.read_measurements())
    assert measurement.RESULTS.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("sub_8k", ["mnist_8k/sub_8k"]),
        ("mnist_8k/sub_8k", ["mnist_8k/sub_8k"]),
        (
            "mnist_20k",
            [
                "mnist_20k/model_a",
                "mnist_20k/model_b",
                "mnist_20k/dual_block",
                "mnist_20k/dsconv_se",
            ],
        ),
    ],
)
def test_a_name_is_that_of_a_file_or_of_an_assignment(name, meant):
    assert command._wanted(list(measurement.read_claims()), [name]) == meant


def test_a_name_that_nothing_has_is_an_error_that_lists_all():
    with pytest.raises(
        GraderError, match=r"no reference model 'dual'; known: .*mnist_20k/dual_block"
    ):
        command._wanted(list(measurement.read_claims()), ["dual"])


@pytest.mark.parametrize(
    "less", [{"interrupted": True}, {"quick_look": "2 of 15 epochs"}, {"training": None}]
)
def test_a_run_that_was_cut_short_is_no_measurement(less):
    with pytest.raises(GraderError, match="was not trained in full on MNIST"):
        measurement.of_report(report_examples.report(**less))


def test_ctrl_c_leaves_the_model_in_hand_unmeasured(monkeypatch):
    kept = []
    monkeypatch.setattr(command, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(command, "_seeds_done", lambda *_: 0)
    monkeypatch.setattr(command, "_keep", lambda *_: kept.append(1))
    monkeypatch.setattr(
        command.pipeline, "grade", lambda *_: report_examples.report(interrupted=True)
    )
    monkeypatch.setattr(command.isolation, "choose", lambda: isolation.Fresh())
    with pytest.raises(KeyboardInterrupt):
        command.measure(["sub_8k"], seeds=1, device="cpu", data=None, remark="")
    assert kept == []


@pytest.mark.parametrize(
    ("claimed", "words"),
    [
        (0.9942, "confirmed"),
        (0.9926, "confirmed"),
        (0.9943, "within noise"),
        (0.9958, "within noise"),
        (0.9975, "not reproduced"),
        (0.9910, "exceeded"),
    ],
)
def test_a_claim_is_held_against_the_mean_with_the_noise_of_one_run(claimed, words):
    run = measurement.SeedResult(
        seed=0, epochs=15, best=0.9945, last=0.9940, mean_last_3=0.9942, seconds=1
    )
    found = measurement.read_measurements()["mnist_20k/model_b"].model_copy(update={"runs": (run,)})
    claim = {"accuracy_claimed": claimed, "accuracy_is": "mean_last_3", "accuracy_on": "test"}
    # one run against one run: 1.96 * 0.055 * sqrt(2) + 0.02 = 0.17 points
    assert measurement.answer(claim, found) == words


@pytest.mark.parametrize(
    ("claimed", "words"), [(0.9658, "within noise"), (0.9740, "not reproduced")]
)
def test_runs_that_scatter_more_than_usual_bring_their_own_noise(claimed, words):
    runs = [
        measurement.SeedResult(
            seed=seed, epochs=15, best=best, last=best, mean_last_3=best, seconds=1
        )
        for seed, best in enumerate([0.9552, 0.9599, 0.9613, 0.9486, 0.9634])
    ]
    found = measurement.read_measurements()["mnist_8k/c1_foundation"].model_copy(
        update={"runs": tuple(runs)}
    )
    claim = {"accuracy_claimed": claimed, "accuracy_is": "best", "accuracy_on": "test"}
    # mean 95.768, standard deviation 0.586: 1.96 * 0.586 * sqrt(6 / 5) + 0.02 = 1.28 points
    assert measurement.answer(claim, found) == words


@pytest.mark.parametrize("name", TRAINABLE)
def test_just_the_references_over_the_limit_are_said_to_fail_it(name):
    limit = load_all(ROOT)[name.split("/")[0]].limits.parameters
    assert ("parameter_limit" in entry(name)["fails"]) == (not limit.allows(TRAINABLE[name]))


@pytest.mark.parametrize("name", [name for name in TRAINABLE if name.startswith("mnist_8k")])
def test_just_the_references_that_see_too_little_are_said_to_fail_it(name):
    assert ("receptive_field" in entry(name)["fails"]) == (RECEPTIVE_FIELD[name] < 28)


@pytest.mark.parametrize(
    ("name", "statistics"), [("mnist_20k/model_a", 256), ("mnist_20k/model_b", 208)]
)
def test_keras_counts_the_running_statistics_too(name, statistics):
    model = network(reference(name))
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert sum(2 * norm.num_features for norm in norms) == statistics
    assert TRAINABLE[name] + statistics in entry(name)["parameters_claimed"]


@pytest.mark.parametrize("name", ["mnist_20k/model_a", "mnist_20k/model_b"])
def test_the_keras_models_normalise_and_start_as_in_keras(name):
    torch.manual_seed(0)
    model = network(reference(name))
    norm = next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    assert (norm.momentum, norm.eps) == (0.01, 1e-3)
    last = [module for module in model.modules() if isinstance(module, nn.Conv2d)][-1]
    expected = (2 / last.weight[0].numel()) ** 0.5
    assert last.weight.std().item() == pytest.approx(expected, rel=0.05)
    assert last.weight.abs().max() <= 2 * expected / 0.8796
    assert not last.bias.any()


def test_the_keras_plateau_halves_the_rate_at_the_second_bad_epoch():
    optimizer, given = recipe("mnist_20k/model_b")
    rates = []
    for loss in (0.1, 0.2, 0.2, 0.2, 0.2):
        given["lr_scheduler"]["scheduler"].step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4]


def test_one_cycle_overrides_the_momentum_that_the_sub_8k_network_asks_for():
    optimizer, given = recipe("mnist_8k/sub_8k")
    seen = [optimizer.param_groups[0]["momentum"]]
    for _ in range(15 * 10 - 1):
        optimizer.step()
        given["lr_scheduler"]["scheduler"].step()
        seen.append(optimizer.param_groups[0]["momentum"])
    assert max(seen) == seen[0] == pytest.approx(seen[-1]) == 0.95
    assert min(seen) == pytest.approx(0.85, abs=1e-3)


def test_dsconv_se_has_five_batch_norm_layers():
    model = network(reference("mnist_20k/dsconv_se"))
    assert sum(isinstance(module, nn.BatchNorm2d) for module in model.modules()) == 5


def test_dsconv_se_clips_gradients_and_stops_at_its_target():
    module = reference("mnist_20k/dsconv_se")
    assert (module.GRADIENT_CLIP_NORM, module.STOP_AT_ACCURACY) == (1.0, 0.994)


@pytest.mark.parametrize("training", [True, False])
def test_the_example_is_a_small_network_that_sees_the_whole_image(training):
    model = network(load_module(EXAMPLE)).train(training)
    assert trainable(model) == 7_512
    assert reach(model) == 32
    assert model(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def measured(*seeds: int, correct: int = 9941, **facts: object) -> measurement.Measurement:
    share = correct / 10_000
    runs = tuple(
        measurement.SeedResult(
            seed=seed, epochs=15, best=share, last=share, mean_last_3=share, seconds=1
        )
        for seed in seeds
    )
    known = measurement.read_measurements()["mnist_20k/model_b"]
    return known.model_copy(update={"runs": runs, "remark": "", **facts})


def test_seeds_that_are_measured_later_join_the_others():
    joined = measured(0, 1).joined(measured(2, 3))
    assert [run.seed for run in joined.runs] == [0, 1, 2, 3]


def test_what_was_remarked_of_any_run_stays_and_is_said_once():
    busy, halted = measured(0, remark="Busy."), measured(1, remark="Halted.")
    assert busy.joined(halted).joined(measured(2, remark="Busy.")).remark == "Busy. Halted."
    assert busy.joined(measured(3)).remark == "Busy."


def test_runs_of_another_version_or_another_network_do_not_join():
    later = measured(1)
    elsewhere = later.environment.model_copy(update={"torch": "2.99.0"})
    assert measured(0).joined(measured(1, environment=elsewhere)).runs == later.runs
    assert measured(0).joined(measured(1, parameters=1)).runs == later.runs


def test_the_accuracy_of_all_runs_together_is_judged():
    assert measured(0).accuracy is Verdict.BORDERLINE
    assert measured(*range(20)).accuracy is Verdict.PASSED
    assert measured(0, correct=9900).accuracy is Verdict.FAILED


def code_of(path: Path) -> str:
    """A file's code, without what it says of itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return ast.unparse(ast.Module(tree.body[1:], []))


@pytest.mark.parametrize(
    ("step", "name"), [(1, "c1_foundation"), (2, "c2_enhanced"), (3, "c3_final")]
)
def test_the_published_work_in_steps_is_the_references_that_were_measured(step, name):
    file = REFERENCE / "mnist_progressive" / "published" / f"step_{step}.py"
    assert code_of(file) == code_of(REFERENCE / "mnist_8k" / f"{name}.py")
