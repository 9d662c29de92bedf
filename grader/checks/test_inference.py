"""How long the network takes for an image."""


def test_fast_inference(inference, show, could_not_tell, too_close_to_call):
    """The network is fast."""
    show(**inference.shown)
    if inference.unknown:
        could_not_tell(inference.unknown)
    if inference.too_close:
        too_close_to_call(inference.explanation)
    assert inference.passed, inference.explanation
