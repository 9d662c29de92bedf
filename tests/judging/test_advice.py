"""What a student is told to try: one rule at a time, each by the numbers that call for it."""

from __future__ import annotations

import dataclasses

import pytest

from grader.judging import advice
from grader.judging.known import Known
from grader.report import Curve, EpochRow, RunRow, Training
from tests.training.engine.test_loop import program


def known(
    *shares: float,
    losses: tuple[float | None, ...] = (),
    rates: tuple[float, ...] = (),
    train: float | None = 0.97,
    score: float | None = None,
    practice: bool = False,
    most_epochs: int = 20,
    optimizer: str = "SGD",
    moved: bool = True,
    stopped: str = "",
    more: dict | None = None,
    **recipe: object,
) -> Known:
    """A run with these test accuracies after its epochs."""
    losses = losses or tuple(1 / number for number in range(1, len(shares) + 1))
    rates = rates or (0.05,) * (len(shares) - 1) + (0.0001,)
    rows = tuple(
        EpochRow(
            epoch=number,
            train_loss=loss,
            correct=round(10_000 * share),
            total=10_000,
            learning_rate=rate,
            seconds=1.0,
            train_accuracy=train,
        )
        for number, (share, loss, rate) in enumerate(zip(shares, losses, rates, strict=True), 1)
    )
    curve = Curve(first=rates[0], lowest=min(rates), highest=max(rates), last=rates[-1])
    run = RunRow(
        seed=0,
        epochs=rows,
        seconds=1.0,
        images_per_second=1.0,
        finished=True,
        parameters_moved=moved,
        stopped_because=stopped,
        learning_rate=curve if rows else None,
    )
    training = Training(
        dataset="mnist",
        practice=practice,
        train_images=60_000,
        test_images=10_000,
        protocol="last",
        threshold=0.994,
        runs=(run,),
        best=None,
        last=None,
        last_3=None,
        score=score if score is not None or not shares else shares[-1],
    )
    groups = [{"parameters": ["conv.weight"], "settings": {}}]
    wanted = program(optimizer={"name": optimizer, "groups": groups}, **recipe)
    return Known(wanted, training, most_epochs, **(more or {}))


def told(*arguments: float, **facts: object) -> list[str]:
    return [hint.text for hint in advice.hints(known(*arguments, **facts))]


def only(*arguments: float, **facts: object) -> str:
    (text,) = told(*arguments, **facts)
    return text


CHANCE = (0.1, 0.1, 0.1)
NLL = {"name": "nll"}


def test_nll_loss_on_logits_is_named_with_what_was_seen():
    text = only(*CHANCE, losses=(-5.0, -900.0, -4e6), loss=NLL)
    assert "after the first epoch, -4e+06 after the last; 1,000 of 10,000 test images" in text
    assert "NLLLoss expects log-probabilities" in text
    assert "nn.CrossEntropyLoss()" in text


def test_nll_loss_that_fell_to_minus_infinity_is_named_too():
    assert "NLLLoss" in only(0.1, losses=(None,), loss=NLL)


def test_nll_loss_on_probabilities_that_learned_something_is_named_too():
    texts = told(*[0.97] * 15, losses=(-0.9,) * 15, loss=NLL)
    assert any("NLLLoss" in text for text in texts)


@pytest.mark.parametrize(
    ("optimizer", "rate", "losses", "advised"),
    [
        ("SGD", 10.0, (None,), "Try 0.05"),
        ("SGD", 1.0, (2.31,), "Try 0.05"),
        ("Adam", 0.1, (2.31,), "Try 0.001"),
    ],
)
def test_a_rate_that_is_far_too_high_is_named(optimizer, rate, losses, advised):
    text = only(0.1, losses=losses, rates=(rate,), optimizer=optimizer)
    assert f"a learning rate of {rate:g} is too high for {optimizer}" in text
    assert advised in text
    assert ("NaN" in text) is (losses == (None,))


def test_a_loss_that_is_no_number_is_called_nan():
    text = only(0.95, 0.0, losses=(0.3, None))
    assert "It diverged (loss 0.3 after the first epoch, NaN after the last; 0 of 10,000" in text
    assert "GRADIENT_CLIP_NORM" in text


def test_scores_that_are_no_number_are_called_nan_though_the_loss_is_fine():
    text = only(*CHANCE, more={"nan_images": 312})
    assert "The scores of 312 test images are NaN (no number)" in text


@pytest.mark.parametrize(
    ("optimizer", "rate", "words"),
    [
        ("SGD", 1e-5, "at most 1e-05"),
        ("SGD", 0.0, "zero"),
        ("Adam", 1e-6, "at most 1e-06"),
        ("SGD", 0.001, "at most 0.001"),
    ],
)
def test_a_rate_that_never_rises_is_named(optimizer, rate, words):
    text = only(*CHANCE, rates=(rate,) * 3, optimizer=optimizer)
    assert f"the learning rate was {words} in every step, and never rose" in text


def test_a_network_that_learned_nothing_for_no_visible_reason_is_told_where_to_look():
    text = only(*CHANCE, losses=(2.303, 2.303, 2.303), moved=False)
    assert "and no weight moved" in text
    assert "all parameters are given to the optimizer" in text


@pytest.mark.parametrize("facts", [{"practice": True}, {"more": {"quick_look": True}}])
def test_few_steps_prove_nothing_about_the_network(facts):
    assert told(*CHANCE, **facts) == []
    assert told(0.95, **facts) == []
    assert "too high" in only(0.1, rates=(10.0,), **facts)


def test_a_slow_start_in_a_quick_look_is_no_rate_that_never_rises():
    assert told(0.1, rates=(1e-5,), more={"quick_look": True}) == []


def constant(rate: float) -> dict:
    steps = program().recipe.steps
    return {"learning_rate": [[{"value": rate, "steps": steps}]]}


@pytest.mark.parametrize(("rate", "what"), [(0.0, "zero"), (1e-6, "at most 1e-06")])
def test_a_rate_that_never_rises_is_named_in_a_quick_look_too(rate, what):
    text = only(0.1, rates=(rate,), more={"quick_look": True}, schedule=constant(rate))
    assert f"the learning rate was {what} in every step" in text


@pytest.mark.parametrize(("rate", "what"), [(0.0, "zero"), (1e-6, "at most 1e-06")])
def test_a_rate_that_never_rises_is_named_before_training(rate, what):
    recipe = known(0.1, schedule=constant(rate), lines={"configure_optimizers": 7}).recipe
    (text,) = advice.foreseen(recipe)
    assert text.startswith(f"The learning rate is {what} in every step of training")
    assert text.endswith("(line 7)")
    assert advice.foreseen(recipe.model_copy(update={"origin": "assignment"})) == ()


def test_a_rate_as_usual_is_not_named_before_training():
    assert advice.foreseen(known(0.1, schedule=constant(0.01)).recipe) == ()


def test_a_network_that_is_still_learning_is_told_to_train_longer():
    texts = told(*[0.9] * 4, train=0.936)
    assert texts[0] == "9.40 points are missing, 940 images of 10,000."
    assert texts[1].startswith(
        "Train longer: after 4 of 20 allowed epochs the network knows 93.6 % of its training images"
    )
    assert texts[1].endswith("Set EPOCHS = 20.")
    assert len(texts) == 2


def test_a_network_that_knows_its_training_images_by_heart_is_told_to_augment():
    texts = told(*[0.99] * 20, train=0.999)
    assert texts[1].startswith(
        "The network knows 99.9 % of its training images and 99.0 % of the test images: it learned "
        "the former by heart. Change the images a little in train_transform"
    )


def test_one_that_augments_already_is_told_to_augment_more():
    rotation = [{"name": "RandomRotation", "settings": {"degrees": [-7, 7]}}]
    texts = told(*[0.99] * 20, train=0.999, augmentations=rotation)
    assert "99.9 % of its training images, changed as they are, and 99.0 %" in texts[1]
    assert "a little further" in texts[1]


def test_one_that_cannot_learn_its_training_images_is_not_told_to_augment():
    texts = told(*[0.98] * 20, train=0.975)
    assert "it is the training that falls short" in texts[1]
    assert len(texts) == 2


def test_a_rate_that_is_still_high_at_the_end_should_come_down():
    texts = told(*[0.985, 0.99, 0.975, 0.99] * 5, train=0.995, rates=(0.05,) * 20)
    assert texts[-1].startswith("Let the learning rate come down: it was still 0.05 in the last")
    assert "the last 4 epochs went from 97.50 to 99.00 %" in texts[-1]


ONE_EPOCH = {"learning_rate": [[{"value": 0.05, "steps": 60}]]}
STOPPED = {"epochs": 20, "schedule": ONE_EPOCH, "patience": {"monitor": "loss", "epochs": 2}}


def test_a_run_that_its_own_rule_ended_is_told_to_let_it_wait_longer():
    reason = "after epoch 4 the loss had not improved for 2 epochs"
    texts = told(*[0.98] * 4, train=0.98, stopped=reason, **STOPPED)
    assert texts[1] == (
        f"Your own rule stopped training: {reason}. 16 of 20 epochs were not trained: let it wait "
        "longer, or leave it out."
    )
    assert not any("Train longer" in text for text in texts)
    assert not any("stopped" in text for text in told(*[0.98] * 4, train=0.98, **STOPPED))


def test_one_that_was_good_enough_when_its_rule_ended_it_is_told_nothing():
    assert told(*[0.995] * 4, train=0.98, stopped="enough", **STOPPED) == []


def test_images_that_nothing_was_learned_from_are_named():
    texts = told(*[0.98] * 20, train=0.99, images=50_000)
    assert any("of 60,000 training images. Train on all of them" in text for text in texts)
    for images in (None, 60_000):
        texts = told(*[0.98] * 20, train=0.99, images=images)
        assert not any("Train on all" in text for text in texts)


PENALTY = {"kind": "l1", "factor": 1.0, "parameters": ["conv.weight"]}


def test_a_term_on_the_weights_may_be_too_large():
    assert "draws them to zero" in only(*CHANCE, penalties=[PENALTY])
    assert "draws them to zero" not in only(*CHANCE)
    assert "a smaller factor" in told(*[0.98] * 20, train=0.97, penalties=[PENALTY])[1]


def test_adadeltas_usual_rate_is_1():
    assert "rate" not in only(*CHANCE, optimizer="Adadelta", rates=(1.0,) * 3).split("at a")[0]
    assert "Try 1;" in only(*CHANCE, optimizer="Adadelta", rates=(0.01,) * 3)


def test_a_training_that_was_handed_in_is_not_told_of_the_conventions_names():
    texts = [
        *told(*[0.9] * 4, train=0.936, origin="rehearsed"),
        *told(*[0.99] * 20, train=0.999, origin="rehearsed"),
        only(*CHANCE, losses=(-1.0, -2.0, -3.0), loss=NLL, origin="rehearsed"),
        only(*CHANCE, losses=(1.0, None, None), origin="rehearsed"),
    ]
    for name in ("EPOCHS", "train_transform", "criterion", "GRADIENT_CLIP"):
        assert not any(name in text for text in texts)
    assert any(text.endswith("Train for 20 epochs.") for text in texts)


def test_near_the_threshold_it_is_said_how_near():
    texts = told(*[0.9935] * 20, train=0.992)
    assert texts == [
        "0.05 points are missing, 5 images of 10,000. That is near: small changes count now, such "
        "as a little less or more dropout, a few more channels, or a rotation by up to 7°."
    ]


def test_one_image_is_not_images():
    assert "1 image of 10,000" in told(*[0.9939] * 20, train=0.992)[0]


def test_a_network_that_is_good_enough_is_told_nothing():
    assert told(*[0.9945] * 20, train=0.993) == []


def test_without_an_epoch_there_is_nothing_to_say():
    asked = known(*CHANCE)
    run = asked.training.runs[0].model_copy(update={"epochs": (), "learning_rate": None})
    training = asked.training.model_copy(update={"runs": (run,)})
    assert advice.hints(dataclasses.replace(asked, training=training)) == ()


def test_hints_have_the_line_of_the_setting_where_it_is_known():
    asked = known(*CHANCE, losses=(-1.0, -2.0, -3.0), loss=NLL)
    assert advice.hints(asked)[0].line is None
    found = _with_lines(asked, {"criterion": 7})
    assert advice.hints(found)[0].line == 7


def _with_lines(asked, lines):
    recipe = asked.program.recipe.model_copy(update={"lines": lines})
    wanted = asked.program.model_copy(update={"recipe": recipe})
    return dataclasses.replace(asked, program=wanted)


@pytest.mark.parametrize("rule", [*advice.NOTHING_LEARNED, *advice.NOT_ENOUGH])
def test_every_rule_says_what_it_is_about(rule):
    assert rule.__doc__
