"""The differences of two networks, in words: known pairs, and pairs that are drawn."""

from hypothesis import given
from hypothesis import strategies as st

from grader.analysis.changes.network import Network, changed, read
from grader.report import LayerRow
from tests import report_examples as examples

NORM = "BatchNorm2d"


def table(*layers, size=28):
    """Rows of a layer table: "3 8" is a 3×3 convolution with 8 channels, "3 8 b" with a bias."""
    rows, channels = [], 1
    for layer in layers:
        words = layer.split()
        if words[0].isdigit():
            side, width = int(words[0]), int(words[1])
            weights = width * (side * side * channels + ("b" in words))
            rows.append(row(f"Conv2d {side}×{side}", width, size, weights))
            channels = width
        elif words[0] == "pool":
            size //= 2
            rows.append(row("MaxPool2d 2×2", channels, size, 0))
        elif words[0] == "norm":
            rows.append(row(NORM, channels, size, 2 * channels))
        else:
            rows.append(row(layer, channels, size, 0))
    return rows


def row(kind, channels, size, parameters):
    shape = (channels, size, size)
    return LayerRow(module="m", kind=kind, output_shape=shape, parameters=parameters, share=0.0)


def network(*layers, dropout=(), activations=None):
    report = examples.passed().model_copy(
        update={
            "layers": tuple(table(*layers)),
            "analysis": {
                "dropout": {"layers": [{"name": "d", "p": share} for share in dropout]},
                "activations": activations or {},
            },
        }
    )
    return read(report)


def said(before, after):
    return changed(network(*before), network(*after))


def test_the_example_of_the_issue():
    before = network("3 16", "3 16", "pool", "1 10", activations={"ReLU": 2})
    after = network("3 16", "norm", "3 12", "norm", "pool", "1 10", "norm")
    after = Network(after.layers, after.dropout, {"ReLU": 2})
    assert changed(before, after) == (
        "16 → 12 channels in convolution 2",
        "+ BatchNorm after each convolution",
    )


def test_one_more_convolution_is_named_with_its_place():
    assert said(["3 8", "1 10"], ["3 8", "3 12", "1 10"]) == (
        "+ convolution 3×3 with 12 channels, as number 2",
    )
    assert said(["3 8", "3 12", "1 10"], ["3 8", "1 10"]) == (
        "− convolution 3×3 with 12 channels, number 2",
    )


def test_another_network_is_told_by_all_widths():
    assert said(["3 4 b", "3 8 b", "1 10 b"], ["3 8", "3 12", "3 16", "1 8", "1 10"]) == (
        "3 → 5 convolutions, channels 4, 8, 10 → 8, 12, 16, 8, 10",
        "convolution 3×3: 2 → 3",
        "convolution 1×1: 1 → 2",
        "− biases of the convolutions",
    )


def test_a_window_that_changes():
    assert said(["5 8", "3 8"], ["3 8", "3 8"]) == (
        "convolution 5×5 → convolution 3×3 in convolution 1",
    )


def test_a_depthwise_convolution_is_told_by_its_weights():
    full = table("3 16", "3 16")
    thin = [full[0], full[1].model_copy(update={"parameters": 16 * 9})]
    example = examples.passed()
    before, after = (
        read(example.model_copy(update={"layers": tuple(rows)})) for rows in (full, thin)
    )
    assert changed(before, after) == (
        "convolution 3×3 → convolution 3×3 depthwise in convolution 2",
    )


def test_batch_norm_that_is_missing_after_the_last():
    before = ["3 8", "norm", "3 8", "norm", "1 10"]
    after = ["3 8", "norm", "3 8", "norm", "1 10", "norm"]
    assert said(before, after) == (
        "BatchNorm after each convolution but the last → after each convolution",
    )


def test_pooling_that_moves_and_pooling_that_is_added():
    assert said(["3 8", "pool", "3 8"], ["3 8", "3 8", "pool"]) == (
        "max pooling 2×2 after convolution 1 → 2",
    )
    assert said(["3 8", "3 8"], ["3 8", "pool", "3 8", "pool"]) == (
        "+ max pooling 2×2 after convolution 1",
        "+ max pooling 2×2 after convolution 2",
    )


def test_dropout_and_activations():
    before = network("3 8", activations={"ReLU": 1})
    after = network("3 8", dropout=(0.1, 0.1), activations={"GELU": 1})
    assert changed(before, after) == ("ReLU → GELU", "+ Dropout p = 0.1 in 2 places")
    fewer = network("3 8", dropout=(0.05,), activations={"GELU": 1})
    assert changed(after, fewer) == ("Dropout p = 0.1 in 2 places → p = 0.05 in 1 place",)


def test_the_head():
    before = network("3 8", "AdaptiveAvgPool2d")
    linear = row("Linear", 10, 1, 80).model_copy(update={"output_shape": (10,)})
    report = examples.passed().model_copy(
        update={"layers": (*table("3 8", "AdaptiveAvgPool2d"), linear), "analysis": {}}
    )
    assert changed(before, read(report)) == ("+ fully connected layer with 10 outputs",)
    assert changed(read(report), before) == ("− fully connected layer with 10 outputs",)
    assert said(["3 8"], ["3 8", "AdaptiveAvgPool2d"]) == ("+ global average pooling",)


def test_branches_that_meet():
    assert said(["3 8", "3 8"], ["3 8", "3 8", "add", "add"]) == ("+ add (2 times)",)
    assert said(["3 8", "add"], ["3 8", "add", "add"]) == ("add 1 → 2 times",)


LAYERS = st.one_of(
    st.builds("{} {}".format, st.sampled_from([1, 3, 5]), st.integers(2, 24)),
    st.sampled_from(["norm", "pool", "add", "AdaptiveAvgPool2d", "concatenate"]),
)
NETWORKS = st.lists(LAYERS, max_size=9).map(lambda layers: ["3 8", *layers])


@given(NETWORKS)
def test_a_network_has_not_changed_from_itself(layers):
    assert said(layers, layers) == ()


@given(NETWORKS, st.integers(0, 9), st.integers(2, 24), st.sampled_from([1, 3, 5]))
def test_one_convolution_more_is_always_said_and_taken_away_again(layers, place, width, side):
    more = [*layers[: place + 1], f"{side} {width}", *layers[place + 1 :]]
    count = len(network(*layers).of("convolution"))
    there, back = said(layers, more), said(more, layers)
    assert there[0].startswith(("+ convolution", f"{count} → {count + 1} convolutions"))
    assert back[0].startswith(("− convolution", f"{count + 1} → {count} convolutions"))


@given(NETWORKS, NETWORKS)
def test_silence_means_that_nothing_but_the_order_of_what_has_no_weights_differs(one, other):
    words = said(one, other)
    same = network(*one).of("convolution") == network(*other).of("convolution")
    if not words:
        pairs = [(layer.words, layer.channels) for layer in network(*one).of("convolution")]
        assert pairs == [
            (layer.words, layer.channels) for layer in network(*other).of("convolution")
        ]
    assert all(line == line.strip() and line for line in words)
    assert words or same
