"""The scorecard: everything is said, in 80 columns, with colours and without."""

import hashlib
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, Group

from grader.render import card, source
from grader.render.terminal import details, summary
from grader.report import Hint, LayerRow, Placed, Problem, Verdict
from tests import report_examples as examples

HOSTILE = "\x1b[2J\u202e[bold red]PASS[/]\u200b\x07"


@pytest.fixture(autouse=True, scope="module")
def _plain_environment():
    """What rich reads from the environment (FORCE_COLOR in CI, say) would change the output."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "FORCE_COLOR",
            "NO_COLOR",
            "COLUMNS",
            "LINES",
            "TTY_COMPATIBLE",
            "TTY_INTERACTIVE",
        ):
            patch.delenv(name, raising=False)
        yield


def scorecard(report):
    """All that `--details` prints."""
    return Group(details(report), card.draw(report))


def shown(renderable, width=80, **options):
    console = Console(width=width, record=True, file=None, legacy_windows=False, **options)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def words(text):
    """Without line breaks, frames and padding."""
    return " ".join(text.replace("│", " ").replace("┃", " ").split())


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("example", examples.ALL)
def test_no_line_is_wider_than_the_terminal_or_than_100_columns(example, width):
    lines = shown(scorecard(example()), width).splitlines()
    assert max(map(cell_len, lines)) <= min(width, 100)


@pytest.mark.parametrize("width", [80, 100])
def test_the_header_says_assignment_submission_verdict_and_points(width):
    head = words("\n".join(shown(card.draw(examples.passed()), width).splitlines()[:4]))
    for part in (
        "MNIST under 8,000 parameters",
        "alice",
        "✓ passed",
        "100 of 100 points",
        "submissions/alice.py",
    ):
        assert part in head


@pytest.mark.parametrize(
    ("example", "symbol"),
    [
        (examples.passed, "✓ passed"),
        (examples.failed, "✗ failed"),
        (examples.borderline, "≈ too close to call"),
        (examples.practice, "✓ passed so far"),
        (examples.unknown, "? could not tell"),
        (examples.broken, "! the grader broke"),
    ],
)
def test_the_verdict_is_a_symbol_and_a_word(example, symbol):
    assert symbol in shown(scorecard(example()))


def test_a_passed_check_is_one_line_with_measured_value_limit_and_points():
    (line,) = [
        line for line in shown(scorecard(examples.passed())).splitlines() if "small enough" in line
    ]
    assert line.split() == [
        "✓",
        "The",
        "model",
        "is",
        "small",
        "enough",
        "6,260",
        "<=",
        "8,000",
        "20",
        "/",
        "20",
    ]


def test_a_failed_check_is_followed_by_its_reason_and_by_hints_with_file_and_line():
    text = words(shown(scorecard(examples.failed())))
    assert "26,202 trainable parameters; the limit is 20,000." in text
    place = "→ assignments/mnist_20k/submissions/model_a.py:21"
    assert f"{place} conv4 alone has 9,248: try 24 channels in place of 32." in text
    assert "→ A 1×1 convolution between them" in text


def test_a_skipped_check_says_why():
    assert "Not trained, because a required check failed" in shown(scorecard(examples.failed()))


def test_a_check_that_could_not_tell_says_why_and_what_to_do():
    text = words(shown(scorecard(examples.unknown())))
    assert "? The last feature map sees the whole image 28 >= 28 0 / 10" in text
    assert "torch.sort moves pixels by their values: what one unit sees is not fixed." in text
    assert "→ assignments/mnist_8k/submissions/dora.py:33 Leave the sort out" in text
    assert "5 passed, 1 unknown, 1 unknown (advisory)" in text


def test_an_advisory_check_is_marked_and_counted_apart():
    text = words(shown(scorecard(examples.passed())))
    assert "· advisory" in text
    assert "6 passed, 1 failed (advisory)" in text


def test_the_layer_table_loses_nothing_in_80_columns():
    lines = shown(scorecard(examples.passed())).splitlines()
    (conv5,) = [line.split() for line in lines if line.startswith("conv5")]
    assert conv5 == ["conv5", "Conv2d", "16×7×7", "2,320", "37.1", "%", "28", "4", "114", "k", "26"]
    assert any("AdaptiveAvgPool2d" in line for line in lines)
    first_column = "".join(line[:16].strip() for line in lines)
    assert "blocks.2.depthwise_separable.conv" in first_column


def test_the_layer_table_ends_with_the_totals_of_the_analysis():
    assert "6,260 parameters · 963 k multiply-adds · receptive field 28 px" in shown(
        scorecard(examples.passed())
    )


def test_without_an_analysis_the_totals_are_sums_of_the_rows():
    rows = tuple(
        LayerRow(module=name, kind="Conv2d", output_shape=(1,), parameters=70, share=0.5)
        for name in "ab"
    )
    assert "140 parameters" in shown(scorecard(examples.report(layers=rows)))


def test_the_score_that_counts_is_marked_and_compared_with_its_threshold():
    assert "▸ mean of last 3 99.42 % counts: at least 99.40 %" in words(
        shown(scorecard(examples.passed()))
    )


def test_the_best_epoch_is_said_to_be_selected_on_the_test_set():
    text = words(shown(scorecard(examples.passed())))
    assert "best epoch 99.44 % epoch 15, 9,944 of 10,000 · selected on the test set" in text


def test_no_epoch_is_marked_as_counting_where_seeds_stopped_at_different_ones():
    runs = (examples.run(), examples.run(examples.CLIMB[:13], seed=2))
    assert "▲" not in shown(scorecard(examples.report(training=examples.training(*runs))))
    assert "▲  ▲  ▲ count" in shown(scorecard(examples.passed()))


def test_what_the_recipe_was_told_after_each_epoch_is_shown():
    told = "The plateau rule was told the training loss."
    assert told in shown(scorecard(examples.report(training=examples.training(feedback=told))))


def test_a_best_epoch_that_counts_says_so_and_that_it_was_selected():
    text = words(shown(scorecard(examples.report(training=examples.training(protocol="best")))))
    assert (
        "▸ best epoch 99.44 % counts: at least 99.40 % · selected on the test set "
        "epoch 15, 9,944 of 10,000" in text
    )


def test_a_protocol_without_a_name_here_still_shows_its_score():
    one = examples.report(training=examples.training(protocol="median", score=0.9933))
    assert "▸ median 99.33 % counts: less than 99.40 %" in words(shown(scorecard(one)))


def test_the_interval_is_shown_where_there_is_one():
    assert "95 % interval 99.36 % to 99.48 %" in words(shown(scorecard(examples.passed())))
    assert "interval" not in shown(scorecard(examples.practice()))


def test_each_of_several_seeds_has_its_line():
    text = shown(scorecard(examples.borderline()))
    rows = [line.split()[0] for line in text.splitlines() if line.rstrip().endswith("3 min 22 s")]
    assert rows == ["1", "2", "3"]
    assert "█ every seed  ░ some seeds" in text


def test_a_verdict_with_a_required_check_still_to_come_is_one_so_far():
    skipped = examples.check("accuracy", "It is accurate.", Verdict.SKIPPED, max_points=40)
    static = examples.report(
        checks=(*examples.passed().checks[:2], skipped),
        quick_look="static checks only",
        verdict=Verdict.PASSED_SO_FAR,
    )
    assert "✓ passed so far" in shown(scorecard(static))
    class_table = words(shown(summary([static, static, examples.passed()])))
    assert "✓ passed so far" in class_table
    assert "3 submissions: 1 passed, 2 passed so far" in class_table


def test_practice_digits_are_announced_and_have_no_threshold():
    text = shown(scorecard(examples.practice()))
    assert "PRACTICE: not graded on MNIST" in text
    assert "required" not in text


def test_a_quick_look_is_announced_with_its_reason():
    text = words(shown(scorecard(examples.practice())))
    assert "QUICK LOOK: not a graded run" in text
    assert "10 epochs in place of the recipe's 15" in text


def test_a_graded_run_has_no_banner():
    assert "┏" not in shown(scorecard(examples.passed()))


def test_a_submission_that_cannot_be_captured_says_what_why_what_to_do_and_where():
    text = words(shown(scorecard(examples.uncaptured())))
    assert "This submission cannot be graded yet" in text
    assert "model.py defines Encoder and Decoder" in text
    assert "Write MODEL = Encoder (or Decoder) at the top level of the file." in text
    assert "yet assignments/mnist_8k/submissions/bob.py:40 model.py" in text


def test_the_graders_own_fault_is_called_so():
    assert "the grader's own fault: it costs no points" in words(
        shown(scorecard(examples.broken()))
    )


def test_what_was_not_executed_and_what_was_flagged_is_listed():
    place = "→ assignments/mnist_8k/submissions/alice.py:61"
    assert f"{place} for epoch in range(EPOCHS)" in words(shown(scorecard(examples.passed())))
    assert "⚑ The weights before training are not random" in shown(scorecard(examples.failed()))


def test_the_last_lines_say_time_device_isolation_and_versions():
    text = words(shown(scorecard(examples.passed())))
    for part in (
        "capture 4.1 s",
        "training 3 min 22 s",
        "cpu",
        "isolation 2 self-locked",
        "torch 2.11.0",
        "grader 0.1.0",
    ):
        assert part in text


def test_an_interrupted_run_says_so():
    one = examples.report(
        training=examples.training(examples.run((9731, 9838), finished=False)), interrupted=True
    )
    assert "INTERRUPTED: a partial report" in shown(scorecard(one))
    assert "seed 1 stopped after 2 epochs: Ctrl-C" in shown(scorecard(one))


def test_a_run_without_any_epoch_can_be_shown():
    nothing = examples.run((), finished=False)
    lost = dict.fromkeys(("best", "last", "last_3", "score", "interval"))
    one = examples.report(training=examples.training(runs=(nothing,), **lost))
    assert "counts, and was not reached" in words(shown(scorecard(one)))


def test_a_diverged_loss_and_idle_parameters_are_pointed_out():
    run = examples.run((980, 980))
    run = run.model_copy(
        update={
            "epochs": tuple(row.model_copy(update={"train_loss": None}) for row in run.epochs),
            "parameters_moved": False,
        }
    )
    text = words(
        shown(scorecard(examples.report(training=examples.training(run, last_3=None, score=None))))
    )
    assert "the loss is not a number from epoch 1 on" in text
    assert "no parameter changed while training" in text


@pytest.mark.parametrize("example", examples.ALL)
def test_without_colour_there_is_none_and_every_verdict_is_still_told(example, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(scorecard(example()), force_terminal=True)
    codes = {code for part in text.split("\x1b[")[1:] for code in part.split("m")[0].split(";")}
    assert codes <= {"0", "1", "2", "3"}  # bold, dim and italic are no colours


@pytest.mark.parametrize("example", examples.ALL)
def test_away_from_a_terminal_there_are_no_escape_sequences(example):
    assert "\x1b" not in shown(scorecard(example()), force_terminal=False)


def hostile_report(text):
    everything = {"name": text, "title": text, "measured": text, "asked": text, "detail": text}
    check = examples.check(**everything, verdict=Verdict.FAILED, hints=(Hint(text=text, line=1),))
    layer = LayerRow(
        module=text, kind=text, output_shape=(1,), parameters=1, share=1, jump=(text, text)
    )
    stopped = examples.run(finished=False).model_copy(update={"stopped_because": text})
    return examples.report(
        submission=text,
        path=text,
        assignment_title=text,
        checks=(check,),
        layers=(layer,),
        problem=Problem(fault="submission", message=text, line=1),
        left_out=(Hint(text=text),),
        flags=(text,),
        quick_look=text,
        training=examples.training(stopped, dataset=text, protocol=text, feedback=text),
        started=text,
        seconds={text: 1.0},
        environment=examples.HERE.model_copy(
            update={"device": text, "isolation": text, "processor": text}
        ),
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=40, deadline=None)
def test_nothing_that_a_submission_wrote_reaches_the_terminal_raw(text):
    for renderable in (scorecard(hostile_report(text)), summary([hostile_report(text)])):
        lines = shown(renderable).splitlines()
        assert not {unicodedata.category(character) for line in lines for character in line} & {
            "Cc",
            "Cf",
            "Co",
            "Cn",
        }
        assert max(map(cell_len, lines)) <= 80


def test_markup_in_a_submission_is_text():
    text = shown(scorecard(hostile_report(HOSTILE)), 100)
    assert "\\x1b[2J\\u202e[bold red]PASS[/]\\u200b\\x07" in text


def test_a_class_is_one_table_per_assignment_with_a_count_below():
    text = words(shown(summary([example() for example in examples.ALL])))
    for part in (
        "MNIST under 8,000 parameters",
        "MNIST under 20,000 parameters",
        "alice ✓ passed 100 / 100 6,260 99.42 %",
        "model_a ✗ failed 30 / 100 26,202 –",
        "practice",
        "≈ borderline",
        "9 submissions: 1 passed, 2 passed so far, 2 failed, 1 borderline, 1 unknown, 2 broken",
        "dora ? unknown 90 / 100 6,260 99.42 % receptive field",
    ):
        assert part in text


def test_the_summary_names_what_to_look_at_first():
    text = words(shown(summary([examples.failed(), examples.uncaptured()]), 100))
    assert "parameter limit, dropout, same network, accuracy" in text
    assert "model.py defines Encoder and Decoder, and both could be the netwo…" in text


@pytest.mark.parametrize("module", ["terminal", "progress", "formats"])
def test_showing_a_report_loads_no_torch(module):
    code = f"import sys, grader.render.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_layer_table_says_how_the_receptive_field_was_proven():
    analysis = {"receptive_field": {"measurement": "proven by measurement at 22 operators"}}
    text = shown(scorecard(examples.passed().model_copy(update={"analysis": analysis})))
    assert "receptive field proven by measurement at 22 operators" in text


def test_the_line_that_a_hint_is_about_is_quoted_where_the_file_is_at_hand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = b"import torch\n\n    x = self.drop(x)  # \xe2\x80\xae\n"
    (tmp_path / "net.py").write_bytes(content)
    hint = Hint(text="Never used.", line=3)
    check = examples.check("dropout", "Dropout is active.", Verdict.FAILED, hints=(hint,))
    digest = hashlib.sha256(content).hexdigest()
    one = examples.report(path="net.py", checks=(check,), sha256=digest)
    text = words(shown(scorecard(one)))
    assert r"→ net.py:3 Never used. 3 x = self.drop(x) # \u202e" in text
    (tmp_path / "net.py").write_text("something else\n\n\n\n")
    other = one.model_copy(update={"sha256": "0" * 64})
    assert "x = self" not in shown(scorecard(other))


@pytest.mark.parametrize("line", [0, 4, 10**6])
def test_a_line_that_the_file_does_not_have_is_not_quoted(tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_bytes(b"a\nb\nc")
    one = examples.report(path="net.py", sha256=hashlib.sha256(b"a\nb\nc").hexdigest())
    assert source.quoted(one, Placed(line=line)) == ""


def test_a_wide_terminal_cuts_neither_names_nor_reasons():
    message = "The network takes 2,000,000,000 multiply-adds for one image."
    problem = Problem(fault="submission", message=message)
    name = "Maria Fernanda de la Cruz Gutiérrez"
    report = examples.report(display_name=name, problem=problem, checks=())
    lines = shown(summary([report, examples.passed()]), 200).splitlines()
    assert any(name in line and message in line for line in lines)
    narrow = shown(summary([report, examples.passed()]), 120)
    assert name in narrow
