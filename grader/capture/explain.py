"""Say in the student's words why their network could not be built, run or captured.

In: an exception. Out: a SubmissionError with the line of the student's file. Runs in the child.
"""

from __future__ import annotations

import re
import traceback
from difflib import get_close_matches

from pydantic import ValidationError

from grader.capture import misfits
from grader.capture.missing import Missing, missing_module
from grader.errors import SubmissionError
from grader.program import program

LONGEST = 400
DATA_DEPENDENT = (
    "The forward pass decides by the values of a tensor (an `if`, `while`, `.item()` or int() on "
    "it). The grader needs one network that is the same for every image: use torch.where, or "
    "decide by shapes."
)
ONE_BATCH_SIZE = (
    "The network works for one batch size only: a number of images is written into it, or the "
    "number of images is divided. Use x.size(0), x.flatten(1) or view(x.size(0), -1) instead of a "
    "fixed number, and leave the images apart (a ghost batch norm does not)."
)


MIXED_IMAGES = (
    "The network folds images of a batch into one another: it divides the number of images, as a "
    "ghost batch norm by reshape does. Each image must be classified by itself, in a batch of any "
    "size: use nn.BatchNorm2d."
)


ABOUT_BATCH = (ONE_BATCH_SIZE, MIXED_IMAGES)
"""Messages on the number of images, for which torch.export knows no line."""


_NO_GPU = ("NVIDIA", "not compiled with CUDA", "initialize CUDA", "CUDA error")


def explained(error: BaseException, filename: str) -> SubmissionError:
    """`error` as a SubmissionError: what was found, why it matters, what to do, and where."""
    if isinstance(error, SubmissionError):
        return SubmissionError(error.message, line=error.line or _line(error, filename))
    return SubmissionError(_message(error), line=_line(error, filename))


def _message(error: BaseException) -> str:
    name, text = type(error).__name__, first_line(error)
    if isinstance(error, ValidationError):
        return program.refusal(error).message
    if isinstance(error, ModuleNotFoundError) and error.name:
        return missing_module(error.name)
    if isinstance(error, NotImplementedError):
        return f"{text or 'forward() is not written yet'}."
    if isinstance(error, FileNotFoundError) and error.filename:
        return (
            f"There is no file {str(error.filename)[:100]!r} here: a submission is one file, and "
            "its network starts untrained. Leave out what reads files, such as torch.load()."
        )
    if isinstance(error, NameError):
        return (
            f"{text}. The grader runs definitions only, so a name that is made by a loop or a "
            "call at the top level does not exist: define it where the class can see it."
        )
    if isinstance(error, AttributeError) and (suggestion := _did_you_mean(error)):
        return f"{text}.{suggestion}"
    if isinstance(error, SystemExit):
        return (
            "The file ends the program (exit() or sys.exit()). Move that under "
            '`if __name__ == "__main__":`.'
        )
    if isinstance(error, RecursionError):
        return "The network calls itself without end: check forward() and __init__ for recursion."
    if isinstance(error, TypeError) and (stand_in := _stand_in(error)):
        return stand_in.why
    return _torch_message(error, text) or (
        f"{name}: {text}" if text else f"The network raises {name}."
    )


def _torch_message(error: BaseException, text: str) -> str | None:
    """What PyTorch's own words mean for a student."""
    if "DataDependent" in type(error).__name__ or "data-dependent" in text:
        frames = traceback.extract_tb(error.__traceback__)
        if any(frame.filename.endswith("batchnorm.py") for frame in frames):
            return (
                "BatchNorm with momentum=None cannot be captured: give it a momentum, such as 0.1 "
                "(the default)."
            )
        return DATA_DEPENDENT
    if about_batch := _batch_message(error, text):
        return about_batch
    if "fake tensor in the exported program" in text:
        return (
            "The forward pass takes .data of a tensor, which cannot be followed: write .detach() "
            "instead."
        )
    if isinstance(error, MemoryError) or "alloc" in text:
        return _memory_message(text)
    if any(words in text for words in _NO_GPU):
        return (
            "The network asks for a GPU, but the grader reads it where there is none. Leave out "
            ".cuda() and .to('cuda'), or write x.device: the grader moves the network to its "
            "device."
        )
    if "leaf Variable that requires grad" in text:
        return (
            "A parameter is changed in place, which PyTorch refuses where gradients are recorded. "
            "Write y = f(p) and use y, or change it under torch.no_grad()."
        )
    if misfit := misfits.message(error, text):
        return misfit
    if "before Module.__init__() call" in text:
        return (
            "nn.Module cannot hold layers before it is set up: begin __init__ with "
            "super().__init__()."
        )
    return None


def _divides_the_batch(error: BaseException) -> bool:
    """Torch's guards then hold a division of the number of images, rounded down."""
    return "//" in _whole(error)


def _did_you_mean(error: AttributeError) -> str:
    """The attribute of the network, or of a layer, that is much like the one that is missing."""
    holder, name = error.obj, error.name
    if holder is None or name is None:
        return ""
    names = [*dir(holder), *getattr(holder, "_modules", ()), *getattr(holder, "_buffers", ())]
    close = get_close_matches(name, [item for item in names if not item.startswith("__")], n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _batch_message(error: BaseException, text: str) -> str | None:
    """What is wrong with a network that does not take any number of images."""
    if "marked batch as dynamic" in text or "specializ" in text or "Constraints violated" in text:
        return MIXED_IMAGES if _divides_the_batch(error) else ONE_BATCH_SIZE
    folded = r"shape '\[0[,\]]|for input of size .*[a-z]"  # the latter: a multiple of their number
    if "is invalid for input of size" in text and re.search(folded, text):
        return MIXED_IMAGES
    if "is invalid for input of size" in text:
        return (
            f"A view or reshape does not fit: {text}. Where its first number stands for the "
            "images, write x.size(0), or use x.flatten(1): the grader runs any number of images, "
            "here two."
        )
    return None


def _memory_message(text: str) -> str:
    if found := re.search(r"you tried to allocate (\d+) bytes", text):
        size = f"{int(found[1]) / 1e9:,.0f} GB"
        return f"This needs {size} of memory, more than the grader gives it: make it smaller."
    return f"The network needs more memory than the grader gives it: {text or 'make it smaller'}."


def _stand_in(error: BaseException) -> Missing | None:
    """What could not be defined, and was handed to the call that complains."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for value in frame.f_locals.values():
            if isinstance(value, Missing):
                return value
    return None


def first_line(error: BaseException) -> str:
    """What the error says, in one line without its full stop."""
    try:
        text = str(error)
    except Exception:  # a hostile __str__ must not hide where the error is
        return ""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return re.sub(r"\s+", " ", first).strip()[:LONGEST].rstrip(". ")


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
    except Exception:  # as in first_line
        return ""
