"""Whether the trained network is as good for every class, and as sure as it is right."""


def test_per_class(qualities, show, skip, too_close_to_call):
    """Every class is recognised well enough."""
    classes = qualities.classes
    show(**classes.shown)
    if classes.skipped:
        skip(classes.skipped)
    if classes.too_close:
        too_close_to_call(classes.explanation)
    assert classes.passed, classes.explanation


def test_calibrated(qualities, show, skip, too_close_to_call):
    """The network is as sure as it is right."""
    calibration = qualities.calibration
    show(**calibration.shown)
    if calibration.skipped:
        skip(calibration.skipped)
    if calibration.too_close:
        too_close_to_call(calibration.explanation)
    assert calibration.passed, calibration.explanation
