"""Parent and child run the same grader, or grading ends with the places of both."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import time
import venv
from pathlib import Path

import pytest

from grader.errors import GraderError
from grader.sandbox import child, isolation, same_code
from grader.training.worker import process
from tests.sandbox.hostile import network, request
from tests.sandboxes import needs

ROOT = same_code.PACKAGE.parent


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """A second grader, one line younger."""
    copy = tmp_path_factory.mktemp("other") / "grader"
    shutil.copytree(same_code.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "errors.py").open("a") as file:
        file.write("# another version\n")
    return copy


def naming_both(other: Path) -> str:
    return rf"runs from {re.escape(str(same_code.PACKAGE))}, .*from {re.escape(str(other))}\."


def test_a_fresh_child_of_another_grader_is_an_error_of_ours(other, monkeypatch):
    monkeypatch.setattr(child, "PROGRAM", other / "capture" / "__main__.py")
    with pytest.raises(GraderError, match=naming_both(other)):
        child.run(request(network()))


def test_it_is_one_also_when_no_level_is_left_to_choose(other, monkeypatch):
    monkeypatch.setattr(child, "PROGRAM", other / "capture" / "__main__.py")
    with pytest.raises(GraderError, match=naming_both(other)), isolation.choose(most=1):
        pass


def test_a_zygote_of_another_grader_is_an_error_of_ours_and_ends(other, monkeypatch):
    from grader.sandbox.zygote import Zygote

    needs(2)
    monkeypatch.setattr(child, "PROGRAM", other / "capture" / "__main__.py")
    zygote = Zygote()
    with pytest.raises(GraderError, match=naming_both(other)), zygote:
        pass
    assert zygote.folder is None


def test_a_training_process_of_another_grader_is_an_error_of_ours(other):
    started = process.Process(other / "training" / "worker" / "worker.py")
    try:
        with pytest.raises(GraderError, match=naming_both(other)):
            started.wait_until_ready(300)
    finally:
        started.end()


@pytest.mark.parametrize("said", [None, [], {}, {"source": 3}, {"folder": "/x", "source": "0"}])
def test_a_child_that_does_not_say_what_it_runs_runs_other_code(said):
    with pytest.raises(GraderError, match="remove one"):
        same_code.check(said)


def test_what_a_file_writes_does_not_pass_for_other_code():
    forged = (
        "import os\nfor place in range(1, 9):\n    try: os.write(place, b'{}\\n')\n"
        "    except OSError: pass"
    )
    with pytest.raises(Exception, match="wrote over the grader's reply"):
        child.run(request(network(forged)))


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """A Python with the packages of this one, in which an older grader is installed."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    site = Path(paths["purelib"])
    (site / "here.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    (site / "grader").mkdir()
    (site / "grader" / "__init__.py").write_text('raise ImportError("an older grader")\n')
    return Path(paths["scripts"]) / Path(sys.executable).name


def said_by(python: Path, program: str) -> str:
    """What a program prints that imports this grader, run by that Python."""
    code = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{textwrap.dedent(program)}"
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    return done.stdout.strip() or done.stderr


def test_that_python_finds_the_older_grader(python):
    done = subprocess.run(
        [python, "-I", "-c", "import grader"], capture_output=True, text=True, check=False
    )
    assert "an older grader" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a venv has other folders there")
def test_a_child_runs_its_parents_grader_though_another_is_installed(python):
    program = """
        from grader.sandbox import child
        from tests.sandbox.hostile import network, request
        print(len(child.run(request(network()))))
    """
    assert said_by(python, program) == "2"


@pytest.mark.skipif(sys.platform == "win32", reason="a venv has other folders there")
def test_so_does_a_training_process(python):
    program = """
        from grader.training.worker.process import Process
        started = Process()
        started.wait_until_ready(300)
        started.end()
        print("ready")
    """
    assert said_by(python, program) == "ready"


def test_the_hash_of_our_own_source_costs_next_to_nothing():
    began = time.process_time()
    found = same_code.own_source.__wrapped__()
    assert time.process_time() - began < 0.5  # about 0.01
    assert found == same_code.own_source()
