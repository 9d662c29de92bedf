"""Level 1, end to end: a student's file in a fresh process, and what is said when the process does
not survive it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from grader import network
from grader.assignment import load
from grader.errors import SubmissionError
from grader.intake.intake import capture
from grader.program.program import Captured
from grader.sandbox.child import environment
from grader.sandbox.ending import Limits
from tests.capture.sources import FILE, net, text
from tests.networks import habits, program_of

ASSIGNMENT = load(Path(__file__).parents[2] / "assignments" / "mnist_8k")


def captured(source: str, *, seconds: float = 120) -> Captured:
    return capture(
        text(source).encode(),
        FILE,
        ASSIGNMENT,
        train_images=1000,
        seeds=(3, 4),
        limits=Limits(seconds=seconds),
    )


def refusal(source: str, *, seconds: float = 120) -> SubmissionError:
    with pytest.raises(SubmissionError) as caught:
        captured(source, seconds=seconds)
    return caught.value


@pytest.fixture(scope="module")
def honest() -> Captured:
    """A file that trains, prints a lot and ends the program, none of which runs; the network prints
    too.
    """
    loud = net(forward="print('z' * 10**6)\nreturn self.fc(x.flatten(1))")
    return captured(loud + "model = Net()\nfor epoch in range(10**9):\n    pass\nexit(3)\n")


def test_a_network_comes_out_with_its_weights_for_each_seed(honest):
    assert (honest.program.model, honest.program.line, honest.program.seeds) == ("Net", 4, (3, 4))
    first, second = (network.build(honest.program, honest.values[seed]) for seed in (3, 4))
    assert not torch.equal(first.weights["fc.weight"], second.weights["fc.weight"])
    torch.manual_seed(3)
    assert torch.equal(first.weights["fc.weight"], torch.nn.Linear(784, 10).weight)


def test_what_was_left_out_comes_with_it(honest):
    assert [(item.line, item.text) for item in honest.program.left_out] == [
        (11, "model = Net()"),
        (12, "for epoch in range(10**9):"),
        (14, "exit(3)"),
    ]


def test_an_endless_loop_is_stopped_in_time():
    error = refusal(net("while True:\n    pass"), seconds=6)
    assert "still busy after 6 s and" in error.message


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_crash_in_compiled_code_names_its_signal():
    error = refusal(net("import ctypes\nctypes.string_at(0)"))
    assert "ended the Python process with SIGSEGV" in error.message


def test_an_early_exit_names_its_status():
    assert "ended the Python process (status 7)" in refusal(net("import os\nos._exit(7)")).message


def test_a_reply_written_by_the_file_is_refused():
    forged = """
        import os
        for descriptor in range(3, 20):
            try:
                os.write(descriptor, b"GRADER1 " + bytes(56))
            except OSError:
                pass
        self.fc = nn.Linear(784, 10)
    """
    assert "wrote over the grader's reply" in refusal(net(forged)).message


def test_an_error_keeps_its_message_and_line():
    error = refusal(net("raise SystemExit(0)"))
    assert "The file ends the program" in error.message
    assert error.line == 7


@dataclass(frozen=True)
class Forger:
    """A sandbox that answers with another file's capture."""

    parts: tuple[bytes, ...]
    isolation: Any = None

    def run(self, _request: Any, _limits: Limits | None, **_: Any) -> tuple[bytes, ...]:
        return self.parts


def test_a_network_for_other_images_or_classes_is_refused():
    program, values = program_of(habits())  # 12 rows and 12 columns
    forger = Forger((program.to_json().encode(), values))
    with pytest.raises(SubmissionError, match="does not belong to this assignment"):
        capture(b"", FILE, ASSIGNMENT, train_images=1000, seeds=(0,), sandbox=forger)


def test_nothing_of_the_users_environment_is_handed_on(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    handed = environment(tmp_path)
    assert "SECRET_TOKEN" not in handed
    assert "PYTHONPATH" not in handed
    assert handed["HOME"] == str(tmp_path)
    assert handed["OMP_NUM_THREADS"] == "1"
