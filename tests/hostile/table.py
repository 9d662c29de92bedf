"""The table of docs/security.md: what the suite counts, and what a run of it measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from grader.sandbox import lock, probes
from tests.hostile.catalogue import CASES, ENTRIES
from tests.hostile.test_faults import MOMENTS
from tests.hostile.test_guards import GUARDS
from tests.sandbox import test_fuzz

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"


def counted() -> list[str]:
    """The rows that need no run."""
    rows = [
        (
            f"| {group} | {len(ENTRIES[group])} | {len(cases)} | "
            f"{sum(len(case.levels) for case in cases)} |"
        )
        for group, cases in CASES.items()
    ]
    every = [case for cases in CASES.values() for case in cases]
    runs = sum(len(case.levels) for case in every)
    rows.append(f"| **all** | {sum(map(len, ENTRIES.values()))} | **{len(every)}** | **{runs}** |")
    many = 100_000
    fuzzed = many // 2 + many // 10 + many // 20 + many
    assert many in (test_fuzz.MANY, test_fuzz.MANY // 10)
    return [
        *rows,
        f"| probes of the sandbox, at every start | {len(probes.attempts())} |",
        f"| guards that are taken away, one at a time | {len(GUARDS)} in the source, "
        f"{len(lock.GUARDS)} of the lock |",
        f"| damaged replies and weight files per test run | {fuzzed:,} |",
        f"| moments at which the child, the training process and the disk fail | {MOMENTS} each |",
    ]


def measured(runs: Iterable[tuple[str, float, frozenset[str]]]) -> Mapping[str, str]:
    """What a run says: for each graded case its name, the seconds of its child, and what went
    wrong.
    """
    found = list(runs)
    kinds = [kind for _, _, wrong in found for kind in wrong]
    slowest = max(found, key=lambda item: item[1])
    return {
        "crashes": str(kinds.count("crash")),
        "hangs": str(kinds.count("hang")),
        "false passes": str(kinds.count("false pass")),
        "wrong answers or reasons": str(kinds.count("answer")),
        "processes or files left": str(kinds.count("leftover")),
        "characters that a terminal obeys": str(kinds.count("output")),
        "slowest": f"{slowest[1]:.1f} s ({slowest[0]})",
    }
