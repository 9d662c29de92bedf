"""What came back from a child, and what that means for its submission.

In: the bytes that an untrusted process wrote, and how it ended. Out: the parts of its reply, or a
SubmissionError in the student's words. Believes nothing.
"""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass
from typing import Any

from grader.errors import SubmissionError
from grader.printable import last_line, visible
from grader.sandbox import reply, strict_json

PRINTED_BYTES = 64 * 2**10
FLOOD_BYTES = 16 * 2**20
FOLDER_BYTES = 256 * 2**20
FOLDER_FILES = 1_000
UNANSWERED = 70
"""Exit status of a child that was locked but could not answer."""
THE_FILE = "The file"
"""Who works in a child, in messages, unless it is said otherwise."""
_LONGEST_MESSAGE = 4_000
_LARGEST_HEADER = 2**16


@dataclass(frozen=True, slots=True)
class Limits:
    """What one capture may use.

    `output_bytes` bounds what is kept of the file's printing, not what it may print. `subject` and
    `too_long` are for messages: who works there, and what to do where its time is over.
    """

    seconds: float = 120.0
    memory_bytes: int = 8 * 2**30
    output_bytes: int = PRINTED_BYTES
    subject: str = THE_FILE
    too_long: str = (
        "Building and running the network once takes a moment: move training, input() and "
        'plt.show() under `if __name__ == "__main__":`, and look for an endless loop.'
    )


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended: its reply, the beginning of what it printed, and its exit status.

    The status of a child that a signal ended is negative. `stopped` says why we ended it, if we
    did.
    """

    reply: bytes
    printed: bytes
    status: int | None
    stopped: str = ""


def parts(ending: Ending, nonce: bytes, limits: Limits) -> tuple[bytes, ...]:
    """What the child answered with, after its header. Raises SubmissionError if it is no answer."""
    if ending.stopped or ending.status is None:
        why = ending.stopped or "time"
        text = _STOPPED[why]
        if why == "reply" and limits.subject != THE_FILE:
            text = _LONG_REPLY
        raise SubmissionError(text.format_map(asdict(limits)))
    try:
        header, *rest = reply.unpack(ending.reply, nonce)
        problem = _problem(strict_json.read(header, most_bytes=_LARGEST_HEADER))
    except ValueError as error:
        raise SubmissionError(_ending(ending, error, limits.subject)) from error
    if problem:
        raise problem
    return tuple(rest)


def _problem(header: Any) -> SubmissionError | None:
    """What the child says went wrong.

    Raises ValueError where it says nothing that can be understood.
    """
    if header == {"captured": True} and header["captured"] is True:
        return None
    if (
        not isinstance(header, dict)
        or header.keys() != {"captured", "message", "line"}
        or header["captured"]
    ):
        raise ValueError("the reply has no header")
    message, line = header["message"], header["line"]
    if not isinstance(message, str):
        raise ValueError("the reply has no message")
    if type(line) is not int or not 0 < line < 10**7:  # True is an int to isinstance
        line = None
    text = visible(message[:_LONGEST_MESSAGE]) or "The file cannot be captured."
    return SubmissionError(text, line=line)


_STOPPED = {
    "time": "{subject} was still busy after {seconds:.0f} s and was stopped. {too_long}",
    "flood": (
        f"The file printed more than {FLOOD_BYTES // 2**20} MiB and was stopped. Do not print "
        "while the network is built and run: a print() in forward() or in an endless loop does "
        "this."
    ),
    "disk": (
        f"The file wrote more than {FOLDER_BYTES // 2**20} MiB or {FOLDER_FILES:,} files and was "
        "stopped. A network needs no files: move downloads and checkpoints under "
        '`if __name__ == "__main__":`.'
    ),
    "reply": (
        f"The network and its weights take more than {reply.LARGEST // 2**20} MiB. Models in this "
        "course are far smaller: look for a layer that is much too wide."
    ),
}

_LONG_REPLY = f"{{subject}} was run, and answered with more than {reply.LARGEST // 2**20} MiB."


def too_much(*, replied: bool, printed: bool) -> str:
    """Why a child is stopped that wrote more than it may: a word of `Ending.stopped`, or none."""
    if replied:
        return "reply"
    return "flood" if printed else ""


def _ending(ending: Ending, error: ValueError, subject: str) -> str:
    status, last = ending.status or 0, last_line(ending.printed)
    if status < 0:
        return f"{subject} ended the Python process with {by_signal(-status)}. {last}".strip()
    if status == UNANSWERED and subject != THE_FILE:
        text = "was run, but what it did could not be handed over: does it replace parts of Python?"
        return f"{subject} {text} {last}".strip()
    if status == UNANSWERED:
        return f"The network was built, but could not be handed over: {last}. Is it very large?"
    if status != 0:
        return (
            f"{subject} ended the Python process (status {status}) before it could be captured: "
            f"remove calls of exit(), quit() and os._exit(). {last}"
        ).strip()
    return f"{subject} ended the Python process early, or wrote over the grader's reply ({error})."


def by_signal(number: int) -> str:
    """What ended a process, of whatever kind: "SIGKILL: most likely it used more memory ..."."""
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return f"{name}: {_CAUSES.get(name, _CRASH)}"


_CRASH = "it crashed, used more memory or processor time than it may, or was ended from outside"
_LOST = "compiled code touched memory that is not there, as ctypes or a damaged tensor does"
_CAUSES = {
    "SIGKILL": "most likely it used more memory than there is",
    "SIGABRT": "compiled code gave up, most likely for lack of memory",
    "SIGSEGV": f"{_LOST} (a segmentation fault)",
    "SIGBUS": _LOST,
    "SIGFPE": "compiled code divided by zero",
    "SIGXCPU": "it used more processor time than it may",
}
