"""What results decide is learned on few images, with as few epochs as tell it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from grader.errors import SubmissionError
from grader.intake import ahead, improvement
from grader.intake.probing import Asks, probe
from grader.program.rehearsed import Rehearsal
from grader.training.datasets import DATASETS
from tests.intake.test_probing import EPOCHS, LOOP, asked, training, without_improvement


@dataclass
class Asker:
    """Answers as a rule does; `fails` on so many images, and writes down what it was asked."""

    rule: object
    fails: tuple[int, ...] = ()
    epochs: int = EPOCHS
    train_images: int = 60_000
    dataset: object = DATASETS["mnist"]
    questions: list = field(default_factory=list)

    def __call__(self, role, *, images=None, tests=None, cuda=True, luck=0, most_epochs=None):
        images, tests = images or self.train_images, tests or self.dataset.test_images
        self.questions.append((role, images, tests, most_epochs))
        if images in self.fails or tests in self.fails:
            raise SubmissionError("It needs 60,000 images.")
        return asked(self.rule, self.epochs)(role, most_epochs=most_epochs)


def never(_) -> bool:
    return False


def test_few_images_of_both_kinds_are_asked_first():
    asker = Asker(never)
    asks, shown = ahead.on_fewer_images(asker, None)
    assert shown.epochs == EPOCHS
    asks.coarse("flat")
    asks.on_tests("flat")
    asks.fine("flat")
    assert [question[1:3] for question in asker.questions[1:]] == [
        (6_000, 1_000),
        (6_000, 10_000),
        (60_000, 10_000),
    ]


@pytest.mark.parametrize(
    ("fails", "epochs", "tests"), [((1_000,), EPOCHS, 10_000), ((), 101, 10_000), ((), 100, 1_000)]
)
def test_all_test_images_are_asked_where_few_do_not_tell(fails, epochs, tests):
    asker = Asker(never, fails, epochs)
    asks, _ = ahead.on_fewer_images(asker, None)
    asks.coarse("flat")
    assert asker.questions[-1][2] == tests


def test_a_file_that_needs_all_images_is_rehearsed_on_all():
    assert ahead.on_fewer_images(Asker(never, (6_000,)), None) is None
    assert ahead.look(Asker(never, (6_000,)), LOOP) is None


def test_a_training_with_other_epochs_on_few_images_tells_nothing():
    assert ahead.on_fewer_images(Asker(never), training(EPOCHS + 1)) is None


def test_patience_is_known_before_the_whole_training_is_rehearsed():
    asker = Asker(without_improvement(2, 3, -1))
    known = ahead.look(asker, LOOP)
    assert known.follows_metric
    assert known.depends.changes["patience"].epochs == 3
    assert all(images == 6_000 for _, images, _, _ in asker.questions)


def test_a_rehearsal_is_cut_off_when_it_has_told_enough():
    asker = Asker(without_improvement(2, 2, -1), epochs=50)
    ahead.look(asker, LOOP)
    (most,) = {question[3] for question in asker.questions if "duller" in question[0]}
    assert most == 8  # twice the three epochs of a flat training, and two


def test_one_of_several_trainings_is_not_cut_off():
    questions = []
    rule = asked(without_improvement(2, 2, -1), 50)

    def ask(role, *, cuda=True, most_epochs=None):
        questions.append(most_epochs)
        return Rehearsal(trainings=(training(5), *rule(role).trainings))

    found = probe(Asks(ask), LOOP, training(50))
    assert found.changes["patience"].epochs == 2
    assert set(questions) == {None}


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("EarlyStopping(patience=5, min_delta=1e-3)", [0.001]),
        ('parser.add_argument("--min-delta", type=float, default=0.005)', [0.005]),
        ('{"threshold": 0.2}', [0.2, 0.002]),
        ("self.min_delta = min_delta\neps = .01", [0.01]),
        ("epochs = 20", []),
    ],
)
def test_numbers_that_are_named_as_a_least_improvement_are_tried_first(source, numbers):
    assert improvement.named_amounts(source) == numbers


def test_a_named_least_improvement_takes_few_rehearsals():
    asker = Asker(without_improvement(2, 3, -1, 0.01), epochs=50)
    known = ahead.look(asker, LOOP + "min_delta = 0.01\nothers = 0.5, 0.002, 0.07, 0.3, 1.5\n")
    assert known.depends.changes["patience"].threshold == 0.01
    assert sum(question[0].startswith("jump") for question in asker.questions) == 5
