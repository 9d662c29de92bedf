"""Whether the network learns what is asked for; the first check to ask for `training` starts it."""

from grader.report import Hint


def test_epochs(recipe, limits, show):
    """Training takes no more epochs than allowed."""
    fits = recipe.epochs <= limits.epochs
    shorter = Hint(
        text=f"Train for at most {limits.epochs} epochs, which are counted here.",
        line=recipe.lines.get("epochs"),
    )
    hints = () if fits or shorter.line is None else (shorter,)
    show(
        measured=f"{recipe.epochs} epochs",
        asked=f"<= {limits.epochs}",
        value=recipe.epochs,
        relation="<=",
        limit=limits.epochs,
        unit="epochs",
        hints=hints,
    )
    assert fits, f"it trains for {recipe.epochs} epochs; at most {limits.epochs} are allowed"


def test_accuracy(accuracy, show, skip, too_close_to_call):
    """The network is accurate enough on the test images."""
    show(
        measured=accuracy.measured,
        asked=accuracy.asked,
        value=accuracy.score,
        relation=">=",
        limit=accuracy.threshold,
        unit="fraction",
        hints=accuracy.hints,
    )
    if accuracy.skipped:
        skip(accuracy.skipped)
    if accuracy.borderline:
        too_close_to_call(accuracy.explanation)
    assert accuracy.passed, accuracy.explanation


def test_steady(training, show, skip):
    """The accuracy holds when the test images are a shade different."""
    steadiness = training.steadiness
    show(
        measured=steadiness.measured,
        asked=steadiness.asked,
        value=steadiness.lost,
        relation="<=",
        limit=steadiness.may_lose,
        unit="images",
    )
    if steadiness.skipped:
        skip(steadiness.skipped)
    assert steadiness.holds, steadiness.explanation


def test_time_budget(training, limits, show, skip):
    """Training fits the time budget."""
    took = "stopped" if training.out_of_time else f"{training.seconds:.0f} s"
    show(
        measured=took,
        asked=f"<= {limits.seconds:.0f} s",
        value=None if training.out_of_time else training.seconds,
        relation="<=",
        limit=limits.seconds,
        unit="seconds",
    )
    if training.skipped:
        skip(training.skipped)
    assert not training.out_of_time, (
        f"a run was stopped, long after the budget of {limits.seconds:.0f} seconds"
    )
    assert training.seconds <= limits.seconds, (
        f"one run takes {training.seconds:.0f} seconds on {training.device}; "
        f"the budget is {limits.seconds:.0f}"
    )
