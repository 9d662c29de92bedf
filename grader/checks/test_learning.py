"""Whether all of the network learns, under any seed, and more than its training images by heart."""


def test_gradients_flow(qualities, show, skip):
    """Every layer learns, and its channels fire."""
    gradients = qualities.gradients
    show(**gradients.shown)
    if gradients.skipped:
        skip(gradients.skipped)
    assert gradients.passed, gradients.explanation


def test_stable(qualities, show, skip, too_close_to_call):
    """Another seed gives much the same accuracy."""
    stability = qualities.stability
    show(**stability.shown)
    if stability.skipped:
        skip(stability.skipped)
    if stability.too_close:
        too_close_to_call(stability.explanation)
    assert stability.passed, stability.explanation


def test_no_overfit(qualities, show, skip, too_close_to_call):
    """The network knows its training images hardly better than others."""
    gap = qualities.overfitting
    show(**gap.shown)
    if gap.skipped:
        skip(gap.skipped)
    if gap.too_close:
        too_close_to_call(gap.explanation)
    assert gap.passed, gap.explanation
