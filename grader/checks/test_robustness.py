"""Whether the trained network still recognises images that are not quite those of the test set."""


def test_robust_noise(qualities, show, skip, too_close_to_call):
    """The network still recognises noisy images."""
    noise = qualities.noise
    show(**noise.shown)
    if noise.skipped:
        skip(noise.skipped)
    if noise.too_close:
        too_close_to_call(noise.explanation)
    assert noise.passed, noise.explanation


def test_robust_shift(qualities, show, skip, too_close_to_call):
    """The network still recognises images that are moved or turned."""
    shift = qualities.shift
    show(**shift.shown)
    if shift.skipped:
        skip(shift.skipped)
    if shift.too_close:
        too_close_to_call(shift.explanation)
    assert shift.passed, shift.explanation
