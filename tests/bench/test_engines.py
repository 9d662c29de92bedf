"""The engines take turns as `bench.engines` says, and each figure stands beside its goal."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench import references
from bench.driver import Training
from bench.engines import goals, peak, table, turns
from bench.engines.__main__ import main
from bench.student import Student
from grader.errors import GraderError
from grader.training.engine.eager import Eager
from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import machine

ROOT = Path(__file__).resolve().parents[2]
HAS_LLVM = importlib.util.find_spec("llvmlite") is not None
IMAGES = 160


@pytest.fixture(scope="module")
def captured():
    names = [f"mnist_{where}" for where in ("20k/dsconv_se", "20k/model_b", "8k/c1_foundation")]
    return references.capture(names, IMAGES)


@pytest.fixture(scope="module")
def images():
    return references.images(None, IMAGES, 20)


def test_a_small_measurement_fills_every_table():
    line = [sys.executable, "-m", "bench.engines", "--practice", "--rounds", "1", "--images", "400"]
    line += ["--busy", "--references", "c1_foundation"]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [row for row in done.stdout.splitlines() if row.startswith("| mnist_8k/c1_foundation")]
    assert len(rows) == 4
    assert ("not measured" in done.stdout) == (not HAS_LLVM)
    assert "15 epochs" in done.stdout
    assert "student round 1:" in done.stderr


def test_the_student_learns_what_the_grader_trains(captured, images):
    """The same network under the same recipe: both learn, and no rule ends the training."""
    for name, reference in captured.items():
        model = reference.captured.program.model
        student = Student(reference.file, model, images)
        turn = student.turn()
        assert turn.images == IMAGES, name
        assert turn.processor > 0
        training = Training(Eager(), reference, reference.metric(images).data)
        told = [training.turn() for _ in range(2)]
        training.close()
        held_back = IMAGES // 12 if reference.captured.program.recipe.follows_metric else 0
        assert told[0].images == IMAGES - held_back, name
        assert told[1].preparation < told[1].elapsed


def test_only_the_first_layer_is_spared_a_gradient(captured):
    """C1 by hand: multiply-adds of its four convolutions on maps of 28, 28 and 14."""
    program = captured["mnist_8k/c1_foundation"].captured.program
    first, *others = turns.measure_cost(program.train).multiply_adds.values()
    forward = first + sum(others)
    expected = 2 * (100 * (2 * first + 3 * sum(others)) + 10 * forward) / 1e9
    assert turns.operations(program, images=100, tests=10) == pytest.approx(expected)


def test_references_are_named_whole_or_in_part():
    assert references.chosen(["sub_8k"]) == ("mnist_8k/sub_8k",)
    assert len(references.chosen(["mnist_20k"])) == 4
    assert references.chosen([]) == references.NAMES
    assert set(goals.TIMES_THE_STUDENTS) == set(references.NAMES)
    with pytest.raises(GraderError, match="There is no reference 'nobody'"):
        references.chosen(["nobody"])


@pytest.mark.parametrize("option", [["--images", "399"], ["--rounds", "13"], ["--rounds", "0"]])
def test_sizes_that_no_recipe_allows_are_refused(option, capsys):
    with pytest.raises(SystemExit) as ended:
        main(option)
    assert ended.value.code == 2
    assert option[0] in capsys.readouterr().err


def test_a_reference_that_is_not_there_ends_with_2(capsys):
    assert main(["--practice", "--references", "nobody"]) == 2
    assert "There is no reference 'nobody'" in capsys.readouterr().err


@pytest.mark.skipif(not HAS_LLVM, reason="needs llvmlite")
def test_the_loop_for_the_peak_computes_what_it_says():
    target = machine.here()
    code = machine.compiled([peak._loop(target).text()], target)
    function = peak.ctypes.CFUNCTYPE(None, peak.ctypes.c_void_p, peak.ctypes.c_int64)(
        code.address("peak")
    )
    room = peak._room(target.lanes, peak._sums(target))
    function(room.ctypes.data, 3)
    assert set(room[2 * target.lanes :].tolist()) == {1.75}  # 0 → 1 → 1.5 → 1.75


def test_without_llvmlite_a_product_of_matrices_stands_in(monkeypatch):
    def absent():
        raise CannotTrainError("llvmlite is not installed")

    monkeypatch.setattr(machine, "here", absent)
    monkeypatch.setattr(peak, "SECONDS", 0.001)
    threads = torch.get_num_threads()
    measured = peak.measure(1)
    assert measured.gflops > 0
    assert "without llvmlite" in measured.how
    assert torch.get_num_threads() == threads


# Tables


def turn(way, rate, processor=1.0, name="mnist_8k/sub_8k"):
    return {
        "kind": "turn",
        "reference": name,
        "way": way,
        "round": 1,
        "images": 1000,
        "seconds": 800 / rate,
        "look_seconds": 200 / rate,
        "processor": processor,
    }


def tables(*found):
    work = {"kind": "work", "reference": "mnist_8k/sub_8k", "gflop": 2.0, "images": 1000}
    peaks = [{"kind": "peak", "gflops": gflops, "how": "sums"} for gflops in (90.0, 100.0, 80.0)]
    return list(table.lines([*peaks, work, *found]))


def row(lines, heading):
    begin = next(place for place, line in enumerate(lines) if heading in line)
    return [cell.strip() for cell in lines[begin + 2].strip("|").split("|")]


def test_each_figure_is_beside_its_goal():
    lines = tables(
        *(turn("student", rate) for rate in (1900, 2000, 2100)),
        turn("torch", 5000),
        turn("lanes", 25000),
    )
    cells = row(lines, "| network | student's loop | PyTorch step by step | machine code | times")
    assert cells[1] == "2,000 (1,900 to 2,100)"
    assert cells[4:7] == ["12.5", "12, reached", "5.0"]
    assert cells[7] == "50 (50%)"  # 2 GFLOP for 1,000 images, against the best of the peaks
    assert cells[8] == "36 s (goal on a quiet server: under 30 s, missed)"


def test_two_seeds_are_held_to_one_on_one_thread():
    lines = tables(
        turn("lanes", 20000), turn("lanes, one thread", 11000), turn("lanes, two seeds", 22000)
    )
    cells = row(lines, "| network | one seed, one thread")
    assert cells[3:] == ["2.0", "1.8, reached", "1.1"]


def test_beside_a_busy_process_the_idle_speed_is_the_measure():
    busy = table.BUSY
    lines = tables(
        turn("student", 2000),
        turn("lanes", 20000),
        turn("student" + busy, 500),
        turn("lanes" + busy, 10000),
    )
    cells = row(lines, "| of its idle speed |")
    assert cells[2:] == ["not measured", "10,000 (10,000 to 10,000)", "50%", "60%, missed", "20.0"]
    assert not any("busy" in line for line in tables(turn("lanes", 20000)))


def test_who_cannot_train_is_left_out_with_the_reason():
    refused = {
        "kind": "refused",
        "reference": "mnist_8k/sub_8k",
        "way": "lanes",
        "why": "llvmlite is not installed",
    }
    lines = tables(turn("student", 2000), refused)
    assert lines[-1] == "- mnist_8k/sub_8k, lanes: left out, for llvmlite is not installed"
    cells = row(lines, "| network | student's loop | PyTorch step by step | machine code | times")
    assert cells[3:6] == ["not measured", "", "12"]
