"""What stands in for something that a file could not define, and complains when it is used.

Runs in the child.
"""

from __future__ import annotations

import builtins
import sys
from typing import Any

from grader.errors import SubmissionError


class MissingError(SubmissionError):
    """Something is used that could not be defined."""


class Missing:
    """Stands in for something that could not be defined, and says why when it is used."""

    why: str
    line: int

    def __init__(self, why: str, line: int) -> None:
        self.__dict__["why"] = why
        self.__dict__["line"] = line

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(self.why, self.line)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        why, line = self.why, self.line

        class MissingBase:
            def __init__(self, *_: Any, **__: Any) -> None:
                raise SubmissionError(why, line=line)

        return (MissingBase,)

    def _complain(self, *_: Any, **__: Any) -> Any:
        raise MissingError(self.why, line=self.line)

    __call__ = __iter__ = __len__ = __getitem__ = __bool__ = __int__ = __float__ = __index__ = (
        _complain
    )
    __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = __truediv__ = __rtruediv__ = (
        _complain
    )
    __lt__ = __gt__ = __le__ = __ge__ = __enter__ = _complain


def missing_module(name: str) -> str:
    """What to tell a student whose network needs the module `name`."""
    if name in sys.builtin_module_names or hasattr(builtins, name):
        return f"{name} cannot be imported here."
    return (
        f"The network uses {name}, which is not installed here. If {name} is a file of yours, "
        "copy what you use into the submission, which is one file; if it is a package, write that "
        "part with torch alone."
    )
