"""The network behaves like one that classifies images one by one."""


def test_output(behaviour, show):
    """Every image gets one finite score per class."""
    show(
        measured=behaviour.output_text,
        asked="finite",
        value=behaviour.classes,
        unit="scores",
        hints=behaviour.output_hints,
    )
    assert behaviour.finite, "the scores of an untrained network are already NaN or infinite"


def test_independent_samples(behaviour, show):
    """Every image is scored by itself, and the same way each time."""
    show(
        measured=behaviour.independence_text, asked="by itself", hints=behaviour.independence_hints
    )
    assert behaviour.repeatable, "the same images get other scores when they are asked again"
    assert behaviour.stateless, "forward() writes what later batches read"
    assert behaviour.apart, "an image's scores change with the other images of its batch"


def test_same_network(behaviour, show):
    """The network that is evaluated is the one that was trained."""
    show(measured=behaviour.same_network_text, asked="the same", hints=behaviour.same_network_hints)
    assert behaviour.same_network, f"forward() depends on the mode: {behaviour.difference.text}"


def test_untrained(behaviour, show):
    """The network starts untrained."""
    show(
        measured=behaviour.untrained_text,
        asked="chance",
        value=behaviour.accuracy,
        unit="fraction",
        hints=behaviour.untrained_hints,
    )
    assert behaviour.brings_little, (
        "the network brings along more numbers that no seed changes than fixed filters need: "
        "it may have been trained"
    )
    assert behaviour.starts_at_chance, "the network classifies digits before it has been trained"
