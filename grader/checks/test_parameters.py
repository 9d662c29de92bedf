"""How many numbers the network learns."""


def test_parameter_limit(parameters, limits, show):
    """The network is small enough."""
    show(
        measured=f"{parameters.counted:,} parameters",
        asked=str(limits.parameters),
        value=parameters.counted,
        relation=limits.parameters.relation,
        limit=limits.parameters.number,
        unit="parameters",
        hints=parameters.hints,
    )
    assert limits.parameters.allows(parameters.counted), (
        f"{parameters.counted:,} parameters; {limits.parameters.excess(parameters.counted):,} too "
        f"many for the limit of {limits.parameters}. "
        "Fewer channels, or 1×1 convolutions in place of 3×3 ones, save the most: "
        "the layer table shows where the parameters are"
    )
    assert not parameters.unregistered, (
        f"{parameters.unregistered:,} weights are hidden from PyTorch, "
        "so training does not change them"
    )
