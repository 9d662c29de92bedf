"""Processes that grade side by side: what is heard of them, and what is left when one dies."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from pathlib import Path

import pytest

from grader.assignment import load
from grader.command import assistants
from grader.command.assistants import Assistants, Task
from grader.command.order import Order
from grader.errors import GraderError
from grader.options import Options
from grader.storage import seal
from grader.submission.find import discover
from grader.training.data import Source
from grader.training.datasets import DATASETS
from tests import report_examples as examples

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from grader.sandbox import same_code
from grader.submission import carried
from grader.training.worker.wire import Message, receive, send

stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
def say(kind, **facts):
    send(stdout, Message(kind, facts))

{before}
send(stdout, Message("ready", dict(same_code.own())))
order = receive(stdin)
say("proven", name="2 self-locked", reason="")
while True:
    try:
        message = receive(stdin)
    except EOFError:
        break
    item = carried.from_json(message.blobs[0])
    say("stage", text="Reading the network")
    {deed}
    send(stdout, Message("done", {{"unwritten": ""}}, ({report!r}.encode(),)))
"""


@pytest.fixture
def order(tmp_path):
    return Order(
        options=Options(static=True, root=ROOT, output=tmp_path / "grades"),
        assignment=load(ROOT / "assignments" / "mnist_8k"),
        source=Source(DATASETS["practice"], practice=True),
        device="none",
        side_by_side=2,
        ticket=tmp_path / "turn",
        secret=b"0" * 32,
    )


@pytest.fixture
def tasks(tmp_path):
    for name in "abcde":
        (tmp_path / f"{name}.py").write_text(f"# {name}\n")
    found = discover([tmp_path], ["mnist_8k"], root=ROOT, assignment="mnist_8k")
    return [Task(item, "0") for item in found]


def program(folder: Path, deed: str = "pass", before: str = "") -> Path:
    text = PROGRAM.format(
        root=str(ROOT), deed=deed, before=before, report=examples.passed().model_dump_json()
    )
    file = folder / "program.txt"
    file.write_text(textwrap.dedent(text))
    return file


def told(pool: Assistants, tasks: list[Task]) -> list:
    with pool:
        return [news for news in pool.grade(tasks) if news is not None]


def test_an_order_crosses_as_it_is(order):
    assert Order.from_facts(order.to_facts()) == order


def test_an_assignment_that_was_changed_meanwhile_is_said(order):
    facts = {**order.to_facts(), "rules": "0" * 64}
    with pytest.raises(GraderError, match="changed while it was graded"):
        Order.from_facts(facts)
    assert seal.of_rules(order.assignment) == order.to_facts()["rules"]


def test_an_assignments_own_checks_are_among_its_rules(tmp_path):
    folder = tmp_path / "mnist_8k"
    shutil.copytree(ROOT / "assignments" / "mnist_8k", folder)
    before = seal.of_rules(load(folder))
    assert seal.of_rules(load(folder)) == before
    (folder / "checks").mkdir(exist_ok=True)
    (folder / "checks" / "test_own.py").write_text(
        'def test_own_rule(parameters):\n    """It is small."""\n    assert parameters\n'
    )
    assert seal.of_rules(load(folder)) != before


def test_each_submission_is_graded_once_and_heard_of(order, tasks, tmp_path):
    pool = Assistants(order, threads=1, program=program(tmp_path))
    heard = told(pool, tasks)
    done = [news.task.item.name for news in heard if news.report]
    assert sorted(done) == list("abcde")
    assert {news.stage for news in heard if not news.report} == {"Reading the network"}
    assert pool.isolation == ("2 self-locked", "")


def test_one_that_takes_its_process_down_is_the_only_one_lost(order, tasks, tmp_path):
    deed = "if item.name == 'b': os.kill(os.getpid(), signal.SIGKILL)"
    heard = told(Assistants(order, threads=1, program=program(tmp_path, deed)), tasks)
    assert [news.task.item.name for news in heard if news.lost] == ["b"]
    assert sorted(news.task.item.name for news in heard if news.report) == list("acde")
    (lost,) = (news.lost for news in heard if news.lost)
    assert "SIGKILL" in lost


def test_what_a_process_said_last_is_told(order, tasks, tmp_path):
    deed = "if item.name == 'c': sys.exit('no room for a tensor')"
    heard = told(Assistants(order, threads=1, program=program(tmp_path, deed)), tasks)
    (lost,) = (news.lost for news in heard if news.lost)
    assert lost.endswith("ended early (status 1): no room for a tensor.")


def test_where_no_process_starts_that_is_all_there_is_to_say(order, tasks, tmp_path):
    broken = program(tmp_path, before="sys.exit('no torch here')")
    with pytest.raises(GraderError, match=r"did not start.*no torch here"):
        told(Assistants(order, threads=1, program=broken), tasks)


def test_a_process_that_says_that_it_cannot_is_believed(order, tasks, tmp_path):
    broken = program(tmp_path, deed="say('cannot', message='level 3 is required')")
    with pytest.raises(GraderError, match="level 3 is required"):
        told(Assistants(order, threads=1, program=broken), tasks)


def test_at_the_end_all_have_ended_also_those_that_sleep(order, tasks, tmp_path, monkeypatch):
    monkeypatch.setattr(assistants, "END_SECONDS", 0.5)
    pids = tmp_path / "pids"
    deed = f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(600)"
    began = time.monotonic()
    with Assistants(order, threads=1, program=program(tmp_path, deed)) as pool:
        for _ in pool.grade(tasks):  # also without news, now and then
            if pids.exists() and len(pids.read_text().split()) == 2:
                break
    assert time.monotonic() - began < 120
    for pid in map(int, pids.read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_threads_are_shared_out_and_the_users_own_number_stays(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    found = assistants._environment(3)
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"]) == ("3", "7")


@pytest.mark.skipif(sys.platform == "win32", reason="names of bytes")
def test_a_submission_crosses_as_it_is(tmp_path):
    from grader.submission import carried

    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "é\udcff.py").write_bytes(b"y = 2\n")
    found = discover([tmp_path], ["mnist_8k"], root=tmp_path, assignment="mnist_8k")
    assert len(found) == 3
    for item in found:
        back = carried.from_json(carried.to_json(item))
        assert str(back.problem) == str(item.problem)
        assert (back.path, back.listing, back.sha256) == (item.path, item.listing, item.sha256)
        assert (back.shown, back.claims, back.notes) == (item.shown, item.claims, item.notes)
