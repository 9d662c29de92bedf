"""Which layers the network really uses: declared is not enough, the output must depend on them."""


def test_batch_norm(structure, show):
    """Batch normalisation is used."""
    found = structure.batch_norm
    show(
        measured=found.count,
        asked="at least 1",
        value=len(found.layers),
        relation=">=",
        limit=1,
        unit="layers",
        hints=found.hints,
    )
    add = "" if found.hints else ": put nn.BatchNorm2d(channels) between a convolution and its ReLU"
    assert found.layers, f"no BatchNorm layer has an effect on the output{add}"


def test_dropout(structure, show):
    """Dropout is used in training and off in evaluation."""
    found = structure.dropout
    show(
        measured=found.count,
        asked="at least 1",
        value=len(found.layers),
        relation=">=",
        limit=1,
        unit="layers",
        hints=found.hints,
    )
    add = "" if found.hints else ": put a small one, such as nn.Dropout(0.05), between two layers"
    assert found.layers, f"no Dropout layer with p > 0 has an effect on the output{add}"
    assert not found.active_in_eval, (
        "dropout is still active in evaluation, so predictions are random"
    )


def test_gap_or_fc(structure, show):
    """Global average pooling or a fully connected layer ends the network."""
    show(measured=structure.head_short, asked="GAP or FC", hints=structure.head_hints)
    assert structure.has_gap or structure.has_fc, (
        f"the network ends in {structure.head_text}: "
        "neither global average pooling nor a fully connected layer"
    )


def test_gap(structure, show):
    """Global average pooling ends the network."""
    show(measured=structure.head_short, asked="GAP", hints=structure.head_hints)
    assert structure.has_gap, (
        f"the network ends in {structure.head_text}: the last map is not averaged as a whole"
    )
