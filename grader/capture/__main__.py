"""The child's program; nobody imports it. Student code runs below `capture()` and nowhere else.

Started by `grader.sandbox` with `python -I`, in one of five ways:
    capture     level 1: one order with a request (a frame on standard input); on what was standard
                output, a line that says which grader this is, and one sealed reply
    probes      the same, but what it answers is what this level blocks
    watch       the same, but it runs no student code: it watches the captured network
    plan        the same, but it reads nothing of the submission: what the assignment's recipe is
    zygote      a socket as standard input: imports torch, captures once to warm up, then forks a
                child for each request
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

# `python -I` leaves the grader's own folder out; another grader may be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from grader.sandbox import frames, loading, lock, reply, same_code

if TYPE_CHECKING:  # pydantic takes a while to load, and not every way needs it
    from grader.program.request import Request


def main(way: str = "") -> None:
    """Serve one of the five ways."""
    if way == "zygote":
        zygote()
    else:
        single(way or "capture")


def single(kind: str) -> None:
    """Read the order, say which grader this is, work, write the reply.

    What the student's file prints goes to standard error.
    """
    end = os._exit  # held here: a student's file may replace os._exit
    if sys.platform.startswith("linux"):
        _supervise()
    said, *blobs = frames.read(sys.stdin.buffer, most_bytes=frames.ANY)
    order = json.loads(said)
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    lock.limit(order["memory_bytes"], order["cpu_seconds"])
    with pipe:
        pipe.write(same_code.own_line())
        pipe.flush()  # before any student code runs
        if kind != "probes":
            with loading.uncollected():
                import torch  # noqa: F401 - loaded for its effect
        answer = work(kind, order["request"], blobs)
        pipe.write(reply.pack(answer, bytes.fromhex(order["nonce"])))
    end(0)  # a student's atexit hooks and threads have no say in how this ends


def _supervise() -> None:
    """Go on in a fork; the original waits, and then ends whatever the fork has left running."""
    from grader.sandbox import kernel, nursery

    kernel.prctl(nursery.PR_SET_CHILD_SUBREAPER, 1)
    kernel.prctl(lock.PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGTERM, _end_all)
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return
    os.close(1)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    nursery.end_descendants()
    if status < 0:  # end by the same signal, so that the grader sees it
        lock.undumpable()
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _end_all(*_: object) -> None:
    """Answer SIGTERM: end every descendant, then this process."""
    from grader.sandbox import nursery

    nursery.end_descendants()
    os._exit(0)


def zygote() -> None:
    """Fork a child per request, until the grader closes the socket."""
    from grader.sandbox import nursery

    control = socket.socket(fileno=os.dup(0))
    control.set_inheritable(False)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with loading.uncollected():
        _warm_up()
    nursery.Nursery(control, Path(os.environ["TMPDIR"]), work, prepare).serve()
    os._exit(0)  # torch takes a second to tidy up, for nobody


def _warm_up() -> None:
    """Import and run everything that the children need, once, on a network of our own."""
    import torch

    from grader.analysis.untrained import watched, watching
    from grader.capture import capture, warm

    # The first backward pass decides how many threads autograd has. Now there is only a CPU, so it
    # takes none; after an export, which pretends that there is a GPU, it would start one: nothing
    # could fork after that, and no locked child may.
    torch.ones(1, requires_grad=True).sum().backward()  # type: ignore[no-untyped-call] # torch's
    found, *values = capture.answer(warm.REQUEST)
    watching.answer({}, found, watched.shown(*watched.NOTHING), *values)
    # The children's garbage collectors need not look at torch, nor at what little garbage importing
    # it has left; to find that would take 0.3 s.
    gc.freeze()


def prepare(package: str) -> None:
    """Import a package that many submissions use, before the fork.

    It is ours, and would take each child seconds.
    """
    with loading.uncollected():
        if package == "torchvision":
            # The student hears of one that does not fit its torch when the file imports it.
            with contextlib.suppress(Exception):
                importlib.import_module("torchvision.transforms.v2")
        elif package == "rehearsal":
            importlib.import_module("grader.capture.rehearsal.rehearse")
    gc.freeze()


def work(kind: str, request: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """The parts of the answer: a header, and after it what was asked for."""
    if kind == "probes":
        from grader.sandbox import probes
        from grader.sandbox.attacks.attempt import Target

        return [b'{"captured": true}', probes.run(Target.from_request(request))]
    if kind == "warm":
        from grader.capture import warm

        return _captured(warm.REQUEST)
    if kind == "watch":
        from grader.analysis.untrained import watching

        return [b'{"captured": true}', watching.answer(request, *blobs)]
    if kind == "plan":
        from grader.intake import planning

        return [b'{"captured": true}', planning.answer(request)]
    if kind == "rehearse":
        return _rehearsed(request)
    from grader.program.request import Request

    return _captured(Request.model_validate(request))


def _rehearsed(request: Mapping[str, Any]) -> list[bytes]:
    from grader.capture.rehearsal import rehearse
    from grader.program.rehearsed import RehearsalRequest

    asked = RehearsalRequest.model_validate(request)
    try:
        found = rehearse.rehearse(asked)
        return [b'{"captured": true}', found.model_dump_json().encode("utf-8", "replace")]
    # A file may leave behind whatever makes the summary fail.
    except BaseException as error:
        text = "The training was run with stand-ins, but what it did could not be summed up"
        with contextlib.suppress(BaseException):  # an error of theirs may say what it likes
            text += f" ({type(error).__name__}: {_first_line(error)[:200]})"
        return [_refusal(f"{text}.", None)]


def _first_line(error: BaseException) -> str:
    """What it says, without pydantic's frame around its own reason."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        from grader.errors import in_words

        return in_words(error.errors(include_url=False, include_input=False)[0])
    return str(error)


def _captured(request: Request) -> list[bytes]:
    from grader.capture import capture, explain

    sys.argv = [request.filename]
    try:
        return [b'{"captured": true}', *capture.answer(request)]
    # sys.exit() and KeyboardInterrupt in a student's file are theirs to explain.
    except BaseException as error:
        problem = explain.explained(error, request.filename)
        return [_refusal(problem.message, problem.line)]


def _refusal(message: str, line: int | None) -> bytes:
    header = {"captured": False, "message": message, "line": line}
    return json.dumps(header, ensure_ascii=False).encode("utf-8", "replace")


if __name__ == "__main__":
    main(*sys.argv[1:])
