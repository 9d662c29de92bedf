"""Which grading a report belongs to, and whether this grader wrote it: the report's `key`.

In: what decides a report. Out: an address, the same only where grading again would say the same;
and a seal on a report that carries it. A report on disk may have been put there by a student:
without the seal, which takes a secret that never leaves this machine, it is not taken for a
grading. Loads no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import importlib.metadata
import json
import platform
import secrets
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import platformdirs

from grader.assignment import Assignment
from grader.errors import GraderError
from grader.report import Report
from grader.sandbox.same_code import own_source
from grader.storage.atomic import write_whole
from grader.submission.submission import Submission

SECRET_BYTES = 32


def address(submission: Submission, assignment: Assignment, choices: Mapping[str, object]) -> str:
    """64 hexadecimal digits: a hash of file, assignment, grader, versions and `choices`.

    `choices` are the user's, JSON values: device kind, data set, seeds, epochs, what to leave out.
    """
    facts = {
        "file": [submission.path.name, submission.listing.main, submission.sha256],
        "assignment": assignment.model_dump(mode="json"),
        "own checks": assignment.own_checks.content,
        "grader": own_source(),
        "versions": _versions(),
        "choices": dict(choices),
    }
    # Sorted keys would also sort the checks, whose order is the scorecard's.
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@cache
def _versions() -> tuple[str, ...]:
    """Of what computes. Looked up once: that reads a file of each package."""
    libraries = map(importlib.metadata.version, ("torch", "torchvision"))
    return platform.python_version(), *libraries


def of_rules(assignment: Assignment) -> str:
    """64 hexadecimal digits: a hash of everything that an assignment asks, its own checks too."""
    facts = [assignment.model_dump(mode="json"), assignment.own_checks.content]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def nowhere() -> str:
    """An address that no grading has: of a report that is never kept."""
    return "0" * 64


def sealed(report: Report, address: str, secret: bytes) -> Report:
    """The same report with its key: the address, a point, and the seal on address and report."""
    return report.model_copy(update={"key": f"{address}.{_seal(report, address, secret)}"})


def is_genuine(report: Report, secret: bytes) -> bool:
    """Whether the report is as this grader, with this secret, sealed it."""
    address, _, seal = report.key.partition(".")
    return hmac.compare_digest(seal.encode(), _seal(report, address, secret).encode())


def _seal(report: Report, address: str, secret: bytes) -> str:
    content = report.model_copy(update={"key": address}).model_dump_json()
    return hmac.new(secret, content.encode(), hashlib.sha256).hexdigest()


def secret(folder: Path | None = None) -> bytes:
    """This user's secret on this machine, made on first use and kept in `folder`.

    That is the user's cache folder unless another is given.
    Where it cannot be kept, it is one for this process: reports are then not recognised by the next
    one.
    """
    file = (folder or platformdirs.user_cache_path("grader", appauthor=False)) / "key"
    with contextlib.suppress(OSError):
        kept = file.read_bytes()
        if len(kept) == SECRET_BYTES:
            return kept
    fresh = secrets.token_bytes(SECRET_BYTES)
    with contextlib.suppress(GraderError):
        write_whole(file, fresh, mode=0o600)
    return fresh
