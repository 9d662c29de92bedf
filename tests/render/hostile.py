"""Strings that want to be more than text, and reports with one of them in every field."""

from hypothesis import strategies as st

from grader.report import (
    CheckResult,
    Environment,
    Excerpt,
    Helped,
    Hint,
    LastTrained,
    LayerRow,
    Problem,
    Report,
    Stated,
    StepRow,
    Verdict,
)
from tests import report_examples as examples

STRINGS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><b onclick="x">',
    "' onmouseover='x",
    "</style>",
    "</details>",
    "</title>",
    "</code>",
    "</td></tr></table>",
    "<svg/onload=x>",
    "<!-- ",
    "]]>",
    "&lt;b&gt;",
    "&#60;",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "javascript:alert(1)",
    "[link](https://evil.example)",
    "![image](https://evil.example/x.png)",
    "<https://evil.example>",
    "https://evil.example/",
    "www.evil.example",
    "mail@evil.example",
    "[x]: https://evil.example",
    "[x]",
    "| a | b | c |",
    "\\| a",
    "a\\",
    "`code`",
    "``` python",
    "~~~",
    "`",
    "*bold*",
    "__bold__",
    "~~gone~~",
    "# heading",
    "- item",
    "+ item",
    "1. item",
    "1) item",
    "> quote",
    "---",
    "===",
    "***",
    "    code",
    "a\n\nb",
    "a\n---",
    "a  \nb",
    "@everyone",
    "#1",
    "GH-1",
    ":octocat:",
    "$x^2$",
    "$$x$$",
    "\\(x\\)",
    "- [ ] task",
    "::error file=x::y",
    "\n::error::y",
    "a\r::stop-commands::x",
    "##[error]x",
    "::add-mask::a",
    "%0A::error::x",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1",
    "\n=1",
    " =1",
    ";=1+1",
    "a,=1",
    "＝1",
    '";=1',
    "=cmd|' /C calc'!A0",
    "\x00",
    "\x08",
    "\x0b",
    "\x1b[31mred",
    "\x1b]8;;http://evil\x07link",
    "\x9b31m",
    "\x7f",
    "\ufffe",
    "\uffff",
    "\u202eevil",
    "\u2066a\u2069",
    "\u200b",
    "\ufeff",
    "\u2028",
    "\u2029",
    "\x85",
    "\ud800",
    "\udfff",
    "\U000e0041",
    "a\u0301\u0301\u0301\u0301",
    "\u3164",
    "Größe 层",
    "x" * 5000,
)

ANY = st.text(st.characters(codec=None), max_size=40)
TEXTS = st.lists(st.sampled_from(STRINGS) | ANY, min_size=1, max_size=3).map("".join)


def report_with(texts) -> Report:
    """A report whose every free text comes from `texts()`; everything else never changes."""
    hints = (Hint(text=texts(), line=3), Hint(text=texts()))
    checks = tuple(
        CheckResult(
            name=texts(),
            title=texts(),
            verdict=verdict,
            required=required,
            points=0,
            max_points=10,
            measured=texts(),
            asked=texts(),
            value=5,
            limit=4.5,
            unit=texts(),
            detail=texts(),
            hints=hints,
        )
        for verdict in Verdict
        for required in (True, False)
    )
    layers = tuple(
        LayerRow(
            module=texts(),
            kind=texts(),
            output_shape=(8, 7, 7),
            parameters=80,
            share=0.5,
            line=3,
            jump=(texts(), texts()),
        )
        for _ in range(3)
    )
    run = examples.run(finished=False).model_copy(update={"stopped_because": texts()})
    training = examples.training(
        run,
        examples.run(seed=2),
        dataset=texts(),
        protocol=texts(),
        device=texts(),
        feedback=texts(),
        score=0.99,
    )
    names = (
        "grader",
        "python",
        "torch",
        "torchvision",
        "platform",
        "processor",
        "device",
        "isolation",
    )
    where = Environment(**{name: texts() for name in (*names, "isolation_reason")}, cores=2)
    return Report(
        submission=texts(),
        path=texts(),
        sha256=texts(),
        assignment=texts(),
        assignment_title=texts(),
        verdict=Verdict.FAILED,
        points=3,
        max_points=100,
        checks=checks,
        problem=Problem(fault="submission", message=texts(), line=4),
        layers=layers,
        analysis={"total_parameters": 5, "receptive_field": {"measurement": texts()}},
        training=training,
        left_out=hints,
        flags=(texts(), texts()),
        notes=(texts(),),
        quick_look=texts(),
        interrupted=True,
        environment=where,
        seconds={texts() + "1": 1.0},
        started=texts(),
        display_name=texts(),
        dataset_choice=texts(),
        excerpts=(Excerpt(first=2, lines=(texts(), texts(), texts())),),
        sample=examples.drawn(),
        stated=(Stated(part="result", text=texts(), place=texts(), line=3),),
        steps=(_step(texts), _step(texts)),
        last_trained=LastTrained(
            verdict=Verdict.FAILED,
            score=0.9,
            threshold=0.994,
            points=1,
            max_points=2,
            sha256=texts(),
            started=texts(),
            later=(texts(),),
        ),
    )


def _step(texts) -> StepRow:
    return StepRow(
        name=texts(),
        title=texts(),
        report=texts(),
        verdict=Verdict.FAILED,
        points=1,
        max_points=2,
        parameters=6_000,
        receptive_field=(24, 24),
        accuracy=0.99,
        spread=0.001,
        seeds=3,
        protocol=texts(),
        claimed=0.995,
        stated=(Stated(part="target", text=texts(), place=texts()),),
        network=(texts(), texts()),
        recipe=(texts(),),
        helped=Helped(difference=-0.001, margin=0.002, answer="within noise", seeds=9),
        problem=texts(),
    )


def calm() -> Report:
    """The same report with one harmless word everywhere."""
    return report_with(lambda: "word")


HOSTILE = st.lists(TEXTS, min_size=1, max_size=8).map(
    lambda texts: report_with(_taken_in_turn(texts))
)


def _taken_in_turn(texts):
    turn = iter(range(10**9))
    return lambda: texts[next(turn) % len(texts)] or "word"


def everywhere(text: str) -> Report:
    """A report with that text in every field."""
    return report_with(lambda: text)
