"""What to try, from what training showed: one rule for each cause that can be told from numbers.

In: what is known of the training (recipe, report, limits). Out: hints, the most likely cause first.
The rules for a network that learned nothing come before those for one that is not accurate enough;
of the former only the first that fits speaks, as one cause hides the others.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from grader.judging.known import Known, planned_rate, usual_rate
from grader.program.program import Program
from grader.program.recipe import Recipe
from grader.report import EpochRow, Hint
from grader.training.datasets import DATASETS

Rule = Callable[[Known], Hint | None]


def hints(known: Known) -> tuple[Hint, ...]:
    """What to try; nothing where no run finished an epoch."""
    if not known.epochs:
        return ()
    if known.learned_nothing:
        return tuple(_all(NOTHING_LEARNED, known)[:1])
    if known.quick_look or known.training.practice:
        return ()
    return tuple(_all(NOT_ENOUGH, known))


def _all(rules: Sequence[Rule], known: Known) -> list[Hint]:
    hints = [rule(known) for rule in rules]
    return [hint for hint in hints if hint is not None]


# Before training: what cannot be otherwise.


def foreseen(recipe: Recipe) -> tuple[str, ...]:
    """That nothing will be learned, where the student's own learning rate never rises."""
    highest, usual = planned_rate(recipe), usual_rate(recipe)
    if recipe.origin == "assignment" or highest >= usual / 1000:
        return ()
    what = "zero" if highest == 0 else f"at most {highest:g}"
    lines = recipe.lines
    line = lines.get("configure_optimizers", lines.get("optimizer"))
    return (
        f"The learning rate is {what} in every step of training, so next to nothing is learned; "
        f"{recipe.optimizer.name} usually learns with about {usual:g}. A LambdaLR multiplies the "
        "optimizer's rate by what its function returns, and a warm-up must be over within the "
        f"training{f' (line {line})' if line else ''}",
    )


# Nothing was learned: the first that fits.


def log_probabilities_are_missing(known: Known) -> Hint | None:
    """NLLLoss on logits rewards large numbers, not right ones: the loss falls below zero."""
    losses = [row.train_loss for row in known.epochs if row.train_loss is not None]
    if known.recipe.loss.name != "nll" or min(losses, default=-1) >= 0:
        return None
    write = "Train with" if known.rehearsed else "Write criterion ="
    return Hint(
        text=f"The loss fell below zero ({known.seen}): NLLLoss expects log-probabilities, and the "
        "network returns other scores, which it makes large instead of right. "
        f"{write} nn.CrossEntropyLoss() where they are plain scores, or end forward() "
        "with F.log_softmax(x, dim=1).",
        line=known.line("criterion"),
    )


def the_rate_is_too_high(known: Known) -> Hint | None:
    """Steps that are too long throw the weights about, up to infinity."""
    if known.highest_rate <= 4 * known.usual_rate:
        return None
    return Hint(
        text=f"It learned nothing ({known.seen}): a learning rate of {known.highest_rate:g} is too "
        f"high for {known.recipe.optimizer.name}, whose steps throw the weights about. Try "
        f"{known.usual_rate:g}.",
        line=known.optimizer_line,
    )


def it_diverged(known: Known) -> Hint | None:
    """A loss that is no number, at a rate that is not unusual."""
    if not known.diverged:
        return None
    clip = "set GRADIENT_CLIP_NORM = 1.0"
    if known.rehearsed:
        clip = "call nn.utils.clip_grad_norm_(model.parameters(), 1.0) before optimizer.step()"
    return Hint(
        text=f"It diverged ({known.seen}), so that the scores are NaN (no number) and none is "
        f"right. Lower the learning rate (it was {known.highest_rate:g}), {clip}, "
        "and look in forward() for a division by zero, a log or a square "
        "root of zero, and an exp that overflows.",
        line=known.optimizer_line,
    )


def scores_are_nan(known: Known) -> Hint | None:
    """NaN in evaluation alone: the training loss was a number."""
    if not known.nan_images:
        return None
    return Hint(
        text=f"The scores of {known.nan_images:,} test images are NaN (no number), which is never "
        f"right ({known.seen}). Evaluation divides by zero or takes a log or a square root of "
        "zero, or the running statistics of a BatchNorm overflowed: lower the learning rate (it "
        f"was {known.highest_rate:g}), and divide by (x + 1e-5).",
        line=known.optimizer_line,
    )


def the_rate_is_too_low(known: Known) -> Hint | None:
    """Steps that are too short lead nowhere in the epochs there are."""
    highest, most = known.highest_rate, known.usual_rate / 20
    if known.quick_look:  # it may have ended in the warm-up
        highest, most = max(highest, known.planned_rate), known.usual_rate / 1000
    if highest >= most:
        return None
    what = "zero" if highest == 0 else f"at most {highest:g}"
    return Hint(
        text=f"It learned nothing ({known.seen}): the learning rate was {what} in every step, and "
        f"never rose. Try {known.usual_rate:g}; a LambdaLR multiplies the optimizer's rate by what "
        "its function returns, and a warm-up must be over within the training.",
        line=known.optimizer_line,
    )


def the_loss_stood_still(known: Known) -> Hint | None:
    """Nothing unusual in loss and rate: what remains is the network.

    A few steps, or a few images, prove nothing of the kind.
    """
    if known.quick_look or known.training.practice:
        return None
    run = known.run
    moved = "" if run is None or run.parameters_moved else " and no weight moved"
    penalties = ""
    if known.recipe.penalties:
        penalties = (
            " The term on the weights that is added to the loss draws them to zero where its "
            "factor is too large: try a tenth of it."
        )
    return Hint(
        text=f"It learned nothing ({known.seen}) at a learning rate of {known.highest_rate:g}"
        f"{moved}. See that every layer is used, that all parameters are given to the optimizer, "
        "that no softmax or ReLU stands behind the scores, and that the first convolution is "
        f"followed by a BatchNorm or a ReLU.{penalties}",
        line=known.optimizer_line,
    )


NOTHING_LEARNED: tuple[Rule, ...] = (
    log_probabilities_are_missing,
    the_rate_is_too_high,
    it_diverged,
    scores_are_nan,
    the_rate_is_too_low,
    the_loss_stood_still,
)

# It learned, and not enough: all that fit.


def how_much_is_missing(known: Known) -> Hint | None:
    """The distance, in points and in images; near the threshold it is little."""
    score, training = known.training.score, known.training
    if score is None or not known.falls_short:
        return None
    missing = training.threshold - score
    images = max(1, round(missing * training.test_images))
    near = ""
    if missing <= 0.003:
        near = (
            " That is near: small changes count now, such as a little less or more dropout, "
            "a few more channels, or a rotation by up to 7°."
        )
    return Hint(
        text=f"{100 * missing:.2f} points are missing, {images:,} "
        f"image{'s' if images > 1 else ''} of {training.test_images:,}.{near}"
    )


def train_longer(known: Known) -> Hint | None:
    """Epochs are left, and the network does not know its training images yet."""
    trained = len(known.epochs)
    if known.train_accuracy is None or known.train_accuracy >= 0.995 or known.stopped_by_recipe:
        return None
    if trained * 4 > known.most_epochs * 3:
        return None
    change = f"Set EPOCHS = {known.most_epochs}"
    if known.rehearsed:
        change = f"Train for {known.most_epochs} epochs"
    return Hint(
        text=f"Train longer: after {trained} of {known.most_epochs} allowed epochs the network "
        f"knows {100 * known.train_accuracy:.1f} % of its training images, and was still learning. "
        f"{change}.",
        line=known.line("epochs"),
    )


def stop_later(known: Known) -> Hint | None:
    """The recipe's own rule ended training before it was good enough."""
    if not known.stopped_by_recipe or not known.falls_short:
        return None
    left = known.recipe.epochs - len(known.epochs)
    return Hint(
        text=f"Your own rule stopped training: {known.stopped_by_recipe}. {left} of "
        f"{known.recipe.epochs} epochs were not trained: let it wait longer, or leave it out.",
        line=known.line("patience", "stop_at_accuracy"),
    )


def use_all_images(known: Known) -> Hint | None:
    """Images that the file keeps back are images that nothing is learned from."""
    every = DATASETS[known.training.dataset].train_images
    if known.recipe.images is None or known.recipe.images >= every or not known.falls_short:
        return None
    return Hint(
        text=f"It learned from {known.training.train_images:,} of {every:,} training images. Train "
        "on all of them once you have made your choices: the test images are still new to it.",
        line=known.line("images"),
    )


def augment(known: Known) -> Hint | None:
    """It knows its training images and not the others: it learned them by heart."""
    seen = known.train_accuracy
    if seen is None or seen < 0.995 or seen - known.accuracy < 0.003:
        return None
    gap = (
        f"The network knows {100 * seen:.1f} % of its training images"
        f"{', changed as they are,' if changes_images(known.recipe) else ''} and "
        f"{100 * known.accuracy:.1f} % of the test images: it learned the former by heart."
    )
    where = "the transform of training images" if known.rehearsed else "train_transform"
    more = "Turn and move them a little further (up to 10° and 10 %)"
    if not changes_images(known.recipe):
        more = (
            f"Change the images a little in {where}, such as "
            "transforms.RandomAffine(7, translate=(0.1, 0.1))"
        )
    drop = "" if "dropout" in _operators(known.program) else ", and add nn.Dropout(0.05)"
    return Hint(text=f"{gap} {more}{drop}.", line=known.line("train_transform"))


def more_capacity(known: Known) -> Hint | None:
    """All epochs are used, and the training images are still not known."""
    seen = known.train_accuracy
    if seen is None or seen >= 0.99 or len(known.epochs) * 4 <= known.most_epochs * 3:
        return None
    milder = ", a smaller factor of the term on the weights" if known.recipe.penalties else ""
    return Hint(
        text=f"After {len(known.epochs)} epochs the network knows {100 * seen:.1f} % of its "
        "training images, as they are augmented: it is the training that falls short. Use more "
        "of the parameters that are allowed, less dropout, a milder augmentation"
        f"{milder}, or a higher "
        f"learning rate (it was at most {known.highest_rate:g}).",
        line=known.optimizer_line,
    )


def let_the_rate_come_down(known: Known) -> Hint | None:
    """A rate that is still high at the end leaves the weights jumping about the best place."""
    if known.recipe.plateau is not None or known.last_rate < known.highest_rate / 5:
        return None
    if known.last_rate < known.usual_rate / 20:
        return None
    return Hint(
        text=f"Let the learning rate come down: it was still {known.last_rate:g} in the last step, "
        f"of at most {known.highest_rate:g}. OneCycleLR or CosineAnnealingLR over all steps end "
        f"near zero{_jumps(known.epochs)}.",
        line=known.optimizer_line,
    )


def _jumps(epochs: Sequence[EpochRow]) -> str:
    """That the last epochs' accuracies differ much, in words; nothing where they do not."""
    shares = [row.correct / row.total for row in epochs[-4:]]
    if len(shares) < 3 or statistics.pstdev(shares) < 0.001:
        return ""
    return (
        f"; the last {len(shares)} epochs went from {100 * min(shares):.2f} to "
        f"{100 * max(shares):.2f} %"
    )


NOT_ENOUGH: tuple[Rule, ...] = (
    how_much_is_missing,
    log_probabilities_are_missing,
    train_longer,
    stop_later,
    use_all_images,
    augment,
    more_capacity,
    let_the_rate_come_down,
)


def changes_images(recipe: Recipe) -> bool:
    """Whether the images that it learns from are changed at random."""
    kept = {"ToTensor", "Normalize", "ToImage", "ToDtype", "ConvertImageDtype", "PILToTensor"}
    kept |= {"Resize", "CenterCrop", "Grayscale", "Pad"}
    return any(step.name not in kept for step in recipe.augmentations)


def _operators(program: Program) -> str:
    return " ".join(node.op for node in program.train.nodes)
