"""Seeds of two engines are trained once each, kept, and compared with their errors."""

from __future__ import annotations

import dataclasses

import pytest

from bench import seeds
from bench.seeds import Result
from grader.errors import GraderError


def result(engine, seed, last, **changes):
    one = Result(
        reference="mnist_8k/sub_8k",
        dataset="mnist",
        engine=engine,
        seed=seed,
        epochs=0,
        accuracies=(90.0, last, last, last),
        seconds=40.0,
        by="machine code, AVX-512" if engine == "lanes" else "eager",
        torch="2.15.0",
        processor="a processor",
        date="2026-01-01",
    )
    return dataclasses.replace(one, **changes)


def test_what_was_added_is_read_again(tmp_path):
    file = tmp_path / "kept" / "seeds.jsonl"
    assert seeds.read(file) == []
    seeds.add(file, [result("lanes", 0, 99.4)])
    seeds.add(file, [result("torch", 0, 99.3)])
    assert seeds.read(file) == [result("lanes", 0, 99.4), result("torch", 0, 99.3)]


def test_the_engine_that_is_behind_is_next_and_no_seed_is_trained_twice():
    engines = ("lanes", "torch")
    assert seeds._next([], engines, 3) == ("lanes", [0, 1])
    done = [result("lanes", seed, 99.0) for seed in (0, 1)]
    assert seeds._next(done, engines, 3) == ("torch", [0, 1])
    done += [result("torch", seed, 99.0) for seed in (0, 2)]
    assert seeds._next(done, engines, 3) == ("lanes", [2])
    done.append(result("lanes", 2, 99.0))
    assert seeds._next(done, engines, 3) == ("torch", [1])
    done.append(result("torch", 1, 99.0))
    assert seeds._next(done, engines, 3) is None
    assert seeds._next([result("lanes", 1, 99.0)], ("lanes",), 4) == ("lanes", [0])


def test_means_and_their_difference_come_with_standard_errors():
    one = [result("lanes", seed, last) for seed, last in enumerate((99.2, 99.4, 99.6))]
    other = [result("torch", seed, last) for seed, last in enumerate((99.1, 99.3, 99.5))]
    lanes, torch, difference = list(seeds.compared([*one, *other]))[2:5]
    assert lanes.startswith("| lanes | 3 | 99.400 ± 0.115 (0.200) |")
    assert torch.startswith("| torch | 3 | 99.300 ± 0.115 (0.200) |")
    assert difference.startswith("| lanes less torch |  | +0.100 ± 0.163, 0.6 of them |")


def test_a_single_seed_has_no_error():
    (line,) = list(seeds.compared([result("lanes", 0, 99.4)]))[2:3]
    assert "99.400 (once)" in line


def test_seeds_are_trained_two_at_once_by_the_engine_that_is_asked_for_and_kept(tmp_path, capsys):
    file = tmp_path / "seeds.jsonl"
    seeds.add(file, [result("torch", 0, 99.0)])  # of MNIST: another data set is another matter
    line = ["c1_foundation", "--practice", "--epochs", "1", "--seeds", "2", "--engine", "torch"]
    assert seeds.main([*line, "--file", str(file)]) == 0
    _, *kept = seeds.read(file)
    assert [(one.seed, one.engine, one.dataset, one.epochs) for one in kept] == [
        (0, "torch", "practice", 1),
        (1, "torch", "practice", 1),
    ]
    assert {one.by for one in kept} == {"eager, channels last"}  # so on one thread
    assert all(0 <= one.scores["last"] <= 100 for one in kept)
    assert "| torch | 2 |" in capsys.readouterr().out
    before = file.read_text()
    assert seeds.main([*line, "--file", str(file)]) == 0
    assert file.read_text() == before


def test_one_reference_is_asked_for(capsys, tmp_path):
    assert seeds.main(["mnist_8k", "--file", str(tmp_path / "seeds.jsonl")]) == 2
    assert "names 5 references" in capsys.readouterr().err


def test_a_run_of_another_engine_is_no_result():
    class Training:
        dataset = "mnist"

    class Report:
        training = Training

    class Run:
        seed, finished, engine, epochs, seconds = 0, True, "eager (llvmlite is missing)", (), 1.0

    with pytest.raises(GraderError, match="was to be trained by lanes, but eager"):
        seeds._result("mnist_8k/sub_8k", "lanes", Run, Report, None)
