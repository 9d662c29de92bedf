"""What works say of themselves, in the words that people and their tools use."""

from pathlib import Path

import pytest

from grader.submission import assembly, claims
from grader.submission.claims import Claims, Text

HERE = Path(__file__).parent / "notebooks"


def said(text: str) -> Claims:
    return claims.read([Text(text, "README.md")])


def printed(*texts: str) -> Claims:
    return claims.read([Text(text, "cell 1", printed=True) for text in texts])


@pytest.mark.parametrize(
    ("text", "accuracy"),
    [
        ("We reach 99.54 % test accuracy.", 0.9954),
        ("Test accuracy: 0.9954", 0.9954),
        ("Accuracy = 99.43%", 0.9943),
        ("| Best validation accuracy | 99.47 |", 0.9947),
        ("Train accuracy 99.9 %, test accuracy 99.2 %", 0.992),
        ("accuracy of 99.4 percent", 0.994),
        ("| Test Acc | 99.41 |", 0.9941),
        ("accuracy after 15 epochs", None),
        ("accuracy with 7,416 parameters", None),
        ("Target: 99.4 % accuracy", None),
        ("the accuracy should be 99.4 %", None),
        ("accuracy > 99.4 %", None),
        ("accuracy: nan", None),
        ("an accuracy of 994", None),
    ],
)
def test_an_accuracy_in_prose(text, accuracy):
    found = said(text).accuracy
    assert (found.number if found else None) == accuracy


def test_of_a_log_the_best_and_the_last_test_accuracy_are_read():
    found = printed(
        "EPOCH: 1\nTest set: Average loss: 0.05, Accuracy: 9943/10000 (99.43%)\n",
        "EPOCH: 2\nTest set: Average loss: 0.05, Accuracy: 9931/10000 (99.31%)\n",
    )
    assert (found.accuracy.number, found.last_accuracy.number) == (0.9943, 0.9931)
    assert found.accuracy.quote == "Test set: Average loss: 0.05, Accuracy: 9943/10000 (99.43%)"
    assert found.epochs.number == 2


def test_a_progress_bar_shows_training_accuracy_and_is_not_quoted():
    bar = "Loss=0.02 Batch_id=468 Accuracy=99.91: 100%|####| 469/469 [00:20<00:00, 22.9it/s]"
    assert printed(f"{bar}\rTest set: Accuracy: 9911/10000 (99.11%)").accuracy.number == 0.9911
    assert printed(bar).accuracy is None


@pytest.mark.parametrize(
    ("text", "trainable", "total"),
    [
        ("Total params: 15,850\nTrainable params: 15,594\nNon-trainable params: 256", 15594, 15850),
        ("7,416 parameters", 7416, None),
        ("Number of parameters: 7416", 7416, None),
        ("7.4k parameters", None, None),
        ("fewer than 8,000 parameters", None, None),
        ("186       Trainable params\n0         Non-trainable params", 186, None),
        ("Total Parameters | 6,198", 6198, 6198),
    ],
)
def test_a_count_of_parameters(text, trainable, total):
    found = said(text)
    numbers = [
        claim.number if claim else None for claim in (found.parameters, found.all_parameters)
    ]
    assert numbers == [trainable, total]


@pytest.mark.parametrize(
    ("text", "epochs"),
    [
        ("Epoch 3/20\nEpoch 20/20", 20),
        ("Epoch: 0\nEpoch: 1\nEpoch: 14", 15),
        ("EPOCH: 1\nEPOCH: 19", 19),
        ("Epoch [4/15], Step [100/600]", 15),
    ],
)
def test_epochs_in_a_log(text, epochs):
    assert printed(text).epochs.number == epochs


def test_epochs_in_prose():
    assert said("99.5 % in 15 epochs").epochs.number == 15


def test_a_run_comes_before_prose_and_each_claim_has_its_place():
    work = assembly.of_file("jupyter.ipynb", (HERE / "jupyter.ipynb").read_bytes())
    found = work.claims
    assert (found.parameters.number, found.parameters.place) == (186, "cell 3")
    assert (found.accuracy.number, found.accuracy.place) == (0.9943, "cell 6")
    assert work.listing.place(found.accuracy.line).cell == 6


def test_a_script_claims_in_docstrings_and_comments_at_their_lines():
    source = b'"""A network.\n\nTest accuracy: 99.51 %\n"""\n\nx = 1\n# Total params: 7,416\n'
    found = assembly.of_file("net.py", source).claims
    assert (found.accuracy.place, found.accuracy.line) == ("net.py, line 3", 3)
    assert (found.parameters.number, found.parameters.line) == (7416, 7)


def test_a_long_line_is_quoted_from_a_word_near_the_number():
    work = assembly.of_file("keras.ipynb", (HERE / "keras.ipynb").read_bytes())
    assert work.claims.accuracy.quote == (
        "… 0.0101 - acc: 0.9966 - val_loss: 0.0190 - val_acc: 0.9951"
    )


def test_a_quote_is_short_and_prints():
    found = said("\u202e" + "x" * 500 + " accuracy: 99.5 % " + "y" * 500)
    assert len(found.accuracy.quote) <= claims.LONGEST_QUOTE
    assert found.accuracy.quote.isprintable()
    assert "99.5 %" in found.accuracy.quote


def test_a_hostile_log_is_read_in_a_moment():
    for text in (
        "acc" * 100_000,
        "accuracy " * 40_000,
        "1" * 300_000,
        "param " * 50_000,
        "epoch" * 9,
    ):
        printed(text)
        said(text)


def test_keras_is_recognised_with_what_it_stored():
    work = assembly.of_file("keras.ipynb", (HERE / "keras.ipynb").read_bytes())
    message = work.problem.message
    assert "written with Keras" in message
    assert "as a torch.nn.Module" in message
    assert '"Total params: 15,850" (cell 2)' in message
    assert str(work.listing.place(work.problem.line)) == "cell 1, line 2"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import tensorflow as tf\n", "TensorFlow"),
        ("from tensorflow.keras import layers\n", "TensorFlow"),
        ("import torch\nfrom tensorflow import keras\n", None),
        ("# import tensorflow\nx = 1\n", None),
        ("import tensorflow_datasets\n", None),
    ],
)
def test_tensorflow_beside_torch_is_no_problem(source, name):
    problem = assembly.of_file("a.py", source.encode()).problem
    assert (name in problem.message) if name else problem is None
