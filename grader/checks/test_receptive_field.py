"""How much of the image one unit of the last feature map sees."""


def test_receptive_field(receptive_field, limits, show, could_not_tell):
    """One unit of the last feature map sees enough of the image."""
    rows, columns = receptive_field.rows, receptive_field.columns
    show(
        measured=f"{rows} × {columns} pixels",
        asked=f">= {limits.receptive_field}",
        value=min(rows, columns),
        relation=">=",
        limit=limits.receptive_field,
        unit="pixels",
        hints=receptive_field.hints,
    )
    if not receptive_field.proven:
        could_not_tell(receptive_field.reason)
    assert min(rows, columns) >= limits.receptive_field, (
        f"{min(rows, columns)} pixels; {limits.receptive_field} are needed to see the whole digit. "
        "Another 3×3 convolution after a pooling adds the most; "
        "the layer table shows how the receptive field grows"
    )
