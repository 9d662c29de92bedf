"""What measures a GPU runs whole where there is none, loses nothing, and says what it left out."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bench.gpu import command, conducting, measuring, note, plan
from bench.gpu.plan import PARTS, Part, Sizes

ROOT = Path(__file__).resolve().parents[2]
ABSENT = ("llvmlite", "rich", "typer", "jinja2", "markupsafe", "pytest_timeout", "fvcore")
"""Packages that a machine for GPUs need not have."""


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """The environment of a machine that lacks these packages, and whose threads are few."""
    lines = [f"sys.modules[{name!r}] = None" for name in ABSENT]
    (tmp_path / "sitecustomize.py").write_text("\n".join(["import sys", *lines]))
    return {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}


def test_a_rehearsal_without_a_gpu_fills_every_section(bare, tmp_path):
    file = tmp_path / "GPU.md"
    line = [sys.executable, "-m", "bench", "--gpu", "--device", "cpu", "--practice", "--tiny"]
    line += ["--seconds", "500", "--references", "c1_foundation", "--output", str(file)]
    done = subprocess.run(line, cwd=ROOT, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = file.read_text()
    assert text == done.stdout.rstrip("\n") + "\n"
    assert "Left out" not in text, done.stderr
    assert "A rehearsal without a GPU" in text
    sections = dict(zip([part.title for part in PARTS], text.split("\n## ")[2:], strict=True))
    assert [section.partition("\n")[0] for section in sections.values()] == list(sections)
    for title, section in sections.items():
        rows = [row for row in section.splitlines() if row.startswith("|")]
        assert len(rows) > 2, title
        widths = {row.count("|") for row in rows}
        assert len(widths) == 1 or title == "Where the time goes", title
    on_a_gpu = sections["The tests that need a GPU"]
    wanted = "skipped" if not torch.cuda.is_available() else "passed"
    assert f"a_run_on_a_gpu_is_recorded_and_leaves_the_callers_random_numbers_alone | {wanted}" in (
        on_a_gpu
    )
    assert "| recorded | CUDA graph | 2 |" in sections["15 epochs of sub_8k"]
    losses = [row for row in text.splitlines() if row.startswith("| mnist_8k/c1_foundation |")]
    recorded, plain = losses[0].split("|")[5:7]
    assert float(recorded) == pytest.approx(float(plain), abs=2e-4)


def test_all_tests_that_need_a_gpu_are_run_by_their_names():
    option, word = measuring.TESTS[1:]
    assert option == "-k"
    needing, elsewhere = [], []
    for file in (ROOT / "tests").rglob("test_*.py"):
        for item in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [ast.unparse(mark) for mark in getattr(item, "decorator_list", ())]
            if "needs_cuda" in names:
                needing.append(item.name)
                if word not in item.name or str(file.relative_to(ROOT)) != measuring.TESTS[0]:
                    elsewhere.append(item.name)
    assert len(needing) >= 5
    assert elsewhere == []


def test_without_a_gpu_one_sentence_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main(["--gpu"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "PyTorch" in said.err
    assert "finds none here" in said.err


def test_missing_packages_are_named_in_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(command, "NEEDED", (*command.NEEDED, "no_such_package", "nor_this"))
    assert command.main(["--gpu", "--device", "cpu"]) == 2
    assert capsys.readouterr().err == (
        "python -m bench --gpu needs packages that are not installed here: no_such_package, "
        "nor_this.\n"
    )


def test_a_folder_without_mnist_is_named(tmp_path, capsys):
    assert command.main(["--gpu", "--device", "cpu", "--data", str(tmp_path)]) == 2
    assert f"MNIST is not in {tmp_path}" in capsys.readouterr().err


# A process that crashes or hangs

CHILD = """
import json, sys, time
for name in json.loads(sys.argv[1]):
    def say(kind, **facts):
        print(json.dumps({"part": name, "kind": kind, **facts}), flush=True)
    say("began")
    if name == "hangs":
        say("figure", number=1)
        time.sleep(600)
    if name == "crashes":
        print("illegal memory access", file=sys.stderr)
        sys.exit(3)
    say("ended")
"""


def conducted(*names, seconds=3.0):
    parts = [Part(name, name, 1.0) for name in names]
    deadlines = {name: time.time() + seconds - plan.GRACE for name in names}
    return list(conducting.findings(parts, deadlines, [sys.executable, "-c", CHILD]))


def test_what_hangs_is_ended_and_keeps_what_it_found():
    found = conducted("good", "hangs", "after")
    kinds = [(item["part"], item["kind"]) for item in found]
    assert ("hangs", "figure") in kinds
    assert ("hangs", "left out") in kinds
    assert kinds[-1] == ("after", "ended")


def test_what_crashes_is_left_out_with_its_last_words_and_the_rest_goes_on():
    found = conducted("crashes", "after", seconds=60.0)
    (left_out,) = [item for item in found if item["kind"] == "left out"]
    assert left_out["why"] == "its process ended: illegal memory access"
    assert [item["part"] for item in found if item["kind"] == "ended"] == ["crashes", "after"]


def test_a_part_has_the_time_that_those_before_it_left():
    deadlines = plan.deadlines(PARTS, 100.0, 10.0)
    assert list(deadlines) == [part.name for part in PARTS]
    assert deadlines["tests"] == pytest.approx(100 + 10 * PARTS[0].share)
    assert deadlines["layouts"] == pytest.approx(110)
    assert plan.SECONDS + plan.GRACE < 350


# The verdict


def run(way, seeds, seconds, rates):
    return {
        "part": "training",
        "kind": "run",
        "way": way,
        "seeds": seeds,
        "engine": "CUDA graph",
        "epochs": 15,
        "preparation": 1.0,
        "seconds": seconds,
        "look_seconds": 0.1,
        "rates": rates,
        "memory": 2**30,
        "accuracy": 0.993,
    }


def written(*findings):
    machine = note.Machine("a machine", "2026-01-01", rehearsal=False)
    return note.write(machine, Sizes(), findings, 300.0)


def test_the_goals_are_beside_the_figures():
    one, together = run("recorded", 1, 1.3, [9e5, 1e6]), run("recorded", 8, 2.7, [1e6, 3e6])
    text = written(one, together, run("plain", 1, 2.0, [1e5, 2.5e5]))
    assert "one seed: **1.40 (once) s**, after preparing; goal: under 2.0 s: reached." in text
    assert "**2.00 times** one; goal: under 2.5 times one: reached." in text
    assert "It has **4.00 times** as many: it stays." in text
    assert "| recorded | CUDA graph | 8 | 15 |" in text


def test_an_engine_that_is_not_twice_as_fast_is_to_be_deleted():
    text = written(run("recorded", 1, 5.0, [1e5, 4e5]), run("plain", 1, 2.0, [1e5, 2.5e5]))
    assert "goal: under 2.0 s: missed" in text
    assert "It has **1.60 times** as many: **delete it** (`replay.py`)." in text


def test_what_was_not_measured_is_said():
    text = written({"part": "training", "kind": "left out", "why": "no time | `left`"})
    assert "8 seeds at once: not measured" in text
    assert "Not measured, so nothing is decided." in text
    assert "- **Left out:** no time / 'left'" in text
    assert text.count("it has not begun") == len(PARTS) - 1


def test_a_test_that_fails_is_told_with_pytests_last_lines():
    result = {"part": "tests", "kind": "test", "name": "test_x[SGD-one seed]", "result": "failed"}
    end = {"part": "tests", "kind": "tests", "line": "== 1 failed ==", "tail": ["E  boom"]}
    text = written(result, end)
    assert "| test_x[SGD-one seed] | failed |" in text
    assert "pytest: 1 failed." in text
    assert "E  boom" in text


def test_findings_are_json(capsys):
    bench = measuring.Bench("cpu", None, plan.TINY, (), 0, part="layouts")
    bench.say("layout", rate=1.5)
    assert json.loads(capsys.readouterr().out) == {"part": "layouts", "kind": "layout", "rate": 1.5}


def test_what_there_is_no_time_for_is_said_and_not_begun(capsys):
    bench = measuring.Bench("cpu", None, plan.TINY, (), 0, part="layouts")
    bench.deadline, bench.longest = time.time() + 50, {"layout": 100.0}
    assert bench.in_time("another one", "another")
    assert not bench.in_time("channels last, round 2", "layout")
    said = json.loads(capsys.readouterr().out)
    assert said["why"] == "no time was left for: channels last, round 2"
