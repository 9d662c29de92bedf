"""Say in the student's words why their network could not be built, run or captured.

In: an exception. Out: a SubmissionError with the line of the student's file. Runs in the child.
"""

from __future__ import annotations

import re
import traceback

from grader.capture.load import missing_module
from grader.errors import SubmissionError

LONGEST = 400


def explained(error: BaseException, filename: str) -> SubmissionError:
    """`error` as a SubmissionError: what was found, why it matters, what to do, and where."""
    if isinstance(error, SubmissionError):
        return SubmissionError(error.message, line=error.line or _line(error, filename))
    return SubmissionError(_message(error), line=_line(error, filename))


def _message(error: BaseException) -> str:
    name, text = type(error).__name__, _text(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return missing_module(error.name)
    if isinstance(error, NotImplementedError):
        return f"{text or 'forward() is not written yet'}."
    if isinstance(error, NameError):
        return (
            f"{text}. The grader runs definitions only, so a name that a loop or a call at the top level makes is not "
            "there: define it where the class can see it."
        )
    if "DataDependent" in name or "data-dependent" in text:
        return (
            "The forward pass decides by the values of a tensor (an `if`, `while`, `.item()` or int() on it). The "
            "grader needs one network that is the same for every image: use torch.where, or decide by shapes."
        )
    if "marked batch as dynamic" in text or "specializ" in text or "Constraints violated" in text:
        return (
            "The network works for one batch size only: a number of images is written into it. Use x.size(0), "
            "x.flatten(1) or view(x.size(0), -1) instead of a fixed number."
        )
    if isinstance(error, SystemExit):
        return 'The file ends the program (exit() or sys.exit()). Move that under `if __name__ == "__main__":`.'
    if isinstance(error, MemoryError) or "alloc" in text:
        return f"The network needs more memory than the grader gives it: {text}"
    if isinstance(error, RecursionError):
        return "The network calls itself without end: check forward() and __init__ for recursion."
    if "shapes cannot be multiplied" in text or "size mismatch" in text:
        return f"Two layers do not fit together: {text}. Check the number of features that this layer expects."
    if "expected input" in text and "channels" in text:
        return f"Two layers do not fit together: {text}. Check in_channels and out_channels."
    return f"{name}: {text}" if text else f"The network raises {name}."


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # a hostile __str__ must not hide where the error is
        return ""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return re.sub(r"\s+", " ", first)[:LONGEST].rstrip(". ")


def _line(error: BaseException, filename: str) -> int | None:
    """The innermost line of the student's file on the way to the error."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == filename and frame.lineno is not None
    ]
    if lines:
        return lines[-1]
    found = re.findall(rf'File "{re.escape(filename)}", line (\d+)', _whole(error))
    return int(found[-1]) if found else None


def _whole(error: BaseException) -> str:
    try:
        return str(error)[:100_000]
    except Exception:  # as in _text
        return ""
