"""One of the processes that grade a class side by side: one submission after the other.

Started by `grader.command.assistants` with `python -I`; nobody imports it but its tests. In:
messages on standard input (the order, then submissions). Out: messages on what was standard output
(how far it is, the reports). It is trusted: student code runs in the locked children of its own
sandbox, which no other assistant's can reach. It ends when the grader that started it does.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

# `python -I` leaves the grader's own folder out; another grader may be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from grader.assignment import Assignment
from grader.command import class_files, filing, stepwise
from grader.command.order import Order
from grader.command.workroom import Workroom
from grader.errors import GraderError
from grader.render.progress import TrainingProgress
from grader.report import Report
from grader.sandbox import same_code
from grader.storage import reports
from grader.submission import carried
from grader.submission.submission import Submission
from grader.training.worker.wire import Inbox, Message, send

if TYPE_CHECKING:  # they load torch
    from grader.pipeline import Workshop
    from grader.training.task import Trainer

SECONDS_BETWEEN_SIGNS = 0.5

Tell = Callable[[str, dict[str, Any]], None]
"""Sends a message of that kind with these facts."""


def main() -> None:
    """Grade what is handed over, until standard input ends: then this process ends, at once."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    inbox = Inbox(os.fdopen(os.dup(0), "rb"), at_end=_interrupt)
    outbox = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what libraries print goes to standard error
    with suppress(KeyboardInterrupt, BrokenPipeError, EOFError):
        send(outbox, Message("ready", dict(same_code.own())))
        try:
            _serve(inbox, outbox)
        except GraderError as error:
            send(outbox, Message("cannot", {"message": str(error)}))
    os._exit(0)  # torch takes a second to tidy up, for nobody


def _interrupt() -> None:
    """Nobody waits any more: end what the main thread does, its children before it."""
    main_thread = threading.main_thread().ident
    if main_thread is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread, signal.SIGINT)  # wakes it, whatever it waits for
    else:
        _thread.interrupt_main()


def _serve(inbox: Inbox, outbox: IO[bytes]) -> None:
    order = Order.from_facts(inbox.get().facts)
    trains = not order.options.static
    with Workroom(order.options.require_isolation, trains=trains) as room:
        room.begin()
        from grader import pipeline

        isolation = room.sandbox.isolation
        send(outbox, Message("proven", {"name": isolation.name, "reason": isolation.reason}))
        trainer = _beside_others(room.crew, order) if room.crew is not None else None
        workshop = pipeline.Workshop(
            order.options, order.source, room.sandbox, trainer, order.secret
        )
        # What was handed out is compared with the class's works, and never trained.
        looks = replace(workshop, options=replace(order.options, static=True), trainer=None)

        def tell(kind: str, facts: dict[str, Any]) -> None:
            send(outbox, Message(kind, facts))

        while True:
            message = inbox.get()
            item = carried.from_json(bytes(message.blobs[0]))
            address = str(message.facts["address"])
            shop = workshop if address else looks
            grade = partial(_grade, order, shop, Signs(item, tell), kept=bool(address))
            report = stepwise.grade(item, order.assignment.of_step(item.step), grade)
            send(outbox, _done(report, address, order))


def _grade(
    order: Order,
    shop: Workshop,
    signs: Signs,
    item: Submission,
    assignment: Assignment,
    *,
    kept: bool,
) -> Report:
    """The report on one network; of a step, one that stands, or a new one that is kept."""
    from grader import pipeline

    if not (kept and item.step and "/" in item.name):
        return pipeline.grade(item, assignment, shop, signs)
    options = order.options
    address = filing.address(item, assignment, options, device=order.device, source=order.source)
    found = filing.kept(item, address, options, secret=order.secret)
    if found is None:
        report = pipeline.grade(item, assignment, shop, signs)
        found = filing.finished(report, address, options, secret=order.secret)
        _kept(found, order)
    return found


def _beside_others(trainer: Trainer, order: Order) -> Trainer:
    from grader.training.worker import sharing

    if order.device == "cpu":
        return sharing.Share(trainer, order.side_by_side)
    return sharing.Turns(trainer, order.ticket)


def _done(report: Report, address: str, order: Order) -> Message:
    """The report, on the disk where it has an address."""
    unwritten = ""
    if address:
        report = filing.finished(report, address, order.options, secret=order.secret)
        unwritten = _kept(report, order)
    return Message("done", {"unwritten": unwritten}, (report.model_dump_json().encode(),))


def _kept(report: Report, order: Order) -> str:
    """Write a finished report and its page; why that failed, or ""."""
    try:
        file = reports.write(report, order.options.output, secret=order.secret)
        if file.name == reports.REPORT:
            class_files.write_page(file)
    except GraderError as error:  # a full disk takes no other report with it
        return str(error)
    return ""


class Signs(TrainingProgress):
    """Says how far a submission is, every now and then."""

    def __init__(self, item: Submission, tell: Tell) -> None:
        super().__init__(item.shown, quiet=True)
        self._tell = tell
        self._told = 0.0

    def stage(self, text: str) -> None:
        """What begins now."""
        super().stage(text)
        self._tell("stage", {"text": text})

    def step(
        self, seed: int, epoch: int, step: int, loss: float | None, learning_rate: float
    ) -> None:
        """As long as it trains, the time that is left."""
        super().step(seed, epoch, step, loss, learning_rate)
        if time.monotonic() - self._told >= SECONDS_BETWEEN_SIGNS:
            self._told = time.monotonic()
            self._tell("training", {"epoch": epoch, "left": self.seconds_left()})


if __name__ == "__main__":
    main()
