"""The network behaves like one that classifies images one by one."""


def test_output(behaviour, show):
    """Every image gets one finite score per class."""
    show(measured=behaviour.output_text, limit=f"{behaviour.classes} finite scores")
    assert behaviour.finite, "the scores of an untrained network are already NaN or infinite"


def test_independent_samples(behaviour, show):
    """In evaluation, an image's score does not depend on the other images, and asking twice gives the same answer."""
    show(measured=behaviour.independence_text, limit="independent and repeatable", hints=behaviour.independence_hints)
    assert behaviour.repeatable, "the same images get other scores when they are asked again"
    assert behaviour.independent, "an image's scores change with the other images of its batch"


def test_same_network(behaviour, show):
    """The network that is evaluated is the one that was trained."""
    show(measured=behaviour.same_network_text, limit="the same layers", hints=behaviour.same_network_hints)
    assert behaviour.same_network, "forward() does something else in eval mode than in train mode"


def test_untrained(behaviour, show):
    """The network starts untrained."""
    show(
        measured=behaviour.untrained_text,
        limit="chance, and new weights for each seed",
        hints=behaviour.untrained_hints,
    )
    assert behaviour.starts_random, "weights that should be random are the same under every seed"
    assert behaviour.starts_at_chance, "the network classifies digits before it has been trained"
