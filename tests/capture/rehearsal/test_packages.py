"""Packages that only show, or are missing: everything is taken, no number is made up."""

from __future__ import annotations

import importlib

import pytest

from grader.capture.rehearsal import absorbed, packages
from grader.capture.rehearsal.absorbed import Absorbed, UnknownValueError
from grader.capture.rehearsal.packages import Bar
from tests.capture.rehearsal.student import undone


@pytest.fixture
def guesses(monkeypatch):
    """What a stand-in had to answer."""
    found: list[str] = []
    monkeypatch.setattr(absorbed, "_guesses", [found.append])
    return found


@pytest.fixture
def installed(monkeypatch):
    """The stand-ins, for one test: gives the names that were used."""
    monkeypatch.setattr(absorbed, "_guesses", [])
    asked = ["student"]
    with undone():
        yield packages.install(lambda _: None, lambda: asked[-1], frozenset({"timm"})), asked


def test_unpacking_gets_as_many_as_there_are_names():
    figure, (left, right) = Absorbed("plt.subplots()")
    assert isinstance(figure, Absorbed)
    assert (str(left), str(right)) == ("<plt.subplots()[1][0]>", "<plt.subplots()[1][1]>")


def test_a_starred_name_gets_none():
    first, *rest, before_last, last = Absorbed("x")
    assert (str(first), rest, str(before_last), str(last)) == ("<x[0]>", [], "<x[1]>", "<x[2]>")


def test_a_loop_over_it_has_no_rounds():
    assert [axis for axis in Absorbed("axes")] == []  # noqa: C416 - a loop is what is tested
    assert list(zip(Absorbed("axes"), range(3), strict=False)) == []


def test_a_comparison_counts_as_false_and_is_written_down(guesses):
    score = Absorbed("sklearn.metrics.f1_score()")
    assert not score > 0.9
    assert not score == 1  # noqa: SIM201 - what the file writes
    assert not isinstance(3, score)
    assert (
        guesses
        == [
            "A comparison with something of sklearn, which only has a stand-in here, was answered "
            "with no"
        ]
        * 3
    )


def test_a_condition_counts_as_false_and_is_written_down(guesses):
    assert not Absorbed("wandb.run")
    assert len(guesses) == 1
    assert "A condition that asks wandb" in guesses[0]


def test_all_of_them_are_answered_with_yes_where_that_is_asked_for(monkeypatch, guesses):
    monkeypatch.setattr(absorbed, "_answers", [True])
    assert Absorbed("sklearn.metrics.f1_score()") > 0.9
    assert Absorbed("wandb.run")
    assert [guess.rpartition(" ")[2] for guess in guesses] == ["yes", "yes"]


@pytest.mark.parametrize("ask", [int, float, range, len], ids=lambda ask: ask.__name__)
def test_it_never_pretends_to_know_a_number(ask):
    with pytest.raises(UnknownValueError, match="a number of pandas is needed"):
        ask(Absorbed("pandas.DataFrame()"))


def test_a_number_that_is_only_shown_is_shown():
    score = Absorbed("torchmetrics.Accuracy()")
    assert "%.2f, %d" % (score, score) == "0.00, 0"  # noqa: UP031 - how students print
    assert f"{score:.2f}" == "<torchmetrics.Accuracy()>"


def test_what_it_decorates_stays():
    def forward():
        return 3

    assert Absorbed("numba.jit")(forward) is forward
    assert Absorbed("hydra.main")(config_path=None)(forward) is forward


def test_a_network_of_a_package_that_is_not_here_is_refused_in_words():
    with pytest.raises(ModuleNotFoundError, match="the network comes from timm, which is not here"):
        Absorbed("timm.create_model()").parameters()


def test_a_class_may_derive_from_it():
    class Callback(Absorbed("keras.Callback")):
        def __init__(self):
            super().__init__("anything")
            self.seen = 1

    assert Callback().seen == 1


def test_a_progress_bar_iterates_and_takes_the_rest():
    bar = Bar([1, 2, 3], desc="epoch", leave=False)
    bar.set_postfix(loss=0.1)
    assert (list(bar), len(bar)) == ([1, 2, 3], 3)
    with Bar(total=5) as counting:
        counting.update(2)
    assert (counting.n, len(counting)) == (2, 5)


def test_tqdm_is_found_by_all_its_names(installed):
    for name in ("tqdm", "tqdm.notebook", "tqdm.auto"):
        assert importlib.import_module(name).tqdm is Bar
    assert list(importlib.import_module("tqdm").trange(3)) == [0, 1, 2]
    assert list(importlib.import_module("tqdm")([7])) == [7]
    assert "tqdm" in installed[0]


def test_a_package_that_is_missing_is_absorbed(installed):
    found = importlib.import_module("no_such_package_anywhere.deep")
    assert isinstance(found.thing(3).other, Absorbed)
    assert "no_such_package_anywhere" in installed[0]


def test_a_file_that_is_ready_for_a_missing_package_goes_without(installed):
    installed[1].append("ready")
    for name in ("no_such_package_anywhere", "google.colab"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
    assert importlib.import_module("tqdm").tqdm is Bar


def test_a_library_that_tries_what_may_be_missing_finds_it_missing(installed):
    """Torch's sympy tries gmpy2, and asks for its version."""
    installed[1].append("library")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_package_anywhere")


@pytest.mark.parametrize("name", ["torch.no_such_part", "collections.no_such_part"])
def test_what_is_real_stays_real(installed, name):
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(name)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({"test_size": 0.2}, (8, 2)), ({}, (7, 3)), ({"train_size": 6}, (6, 4))],
)
def test_a_split_of_sklearn_has_the_lengths_of_sklearn(installed, arguments, expected):
    """10 images: a quarter, rounded up, is 3."""
    split = importlib.import_module("sklearn.model_selection").train_test_split
    train, test = split(list(range(10)), random_state=1, **arguments)
    assert (len(train), len(test)) == expected
    assert not set(train) & set(test)
