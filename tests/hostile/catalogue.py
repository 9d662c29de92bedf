"""Every case of every group, and the entries of the catalogue that each group must answer."""

from __future__ import annotations

from dataclasses import replace

from tests.hostile.case import Case
from tests.hostile.cases import (
    files,
    forged_output,
    forged_rehearsals,
    framework,
    hand_ins,
    honest,
    imports,
    model_level,
    monkeypatching,
    notebooks,
    operators,
    process,
    rehearsals,
    replaced,
    resources,
    two_faces,
    without_learning,
)

GROUPS = {
    "process control": process,
    "resources": resources,
    "files and names": files,
    "imports": imports,
    "test framework": framework,
    "monkeypatching": monkeypatching,
    "forged output": forged_output,
    "operators": operators,
    "model level": model_level,
    "without learning": without_learning,
    "rehearsals": rehearsals,
    "forged rehearsals": forged_rehearsals,
    "stand-ins replaced": replaced,
    "two faces": two_faces,
    "folders, archives, notebooks": hand_ins,
    "cells, outputs, packages": notebooks,
    "honest": honest,
}
BOTH = (2, 3)
OF_THE_SANDBOX = {"process control", "resources", "files and names", "monkeypatching", "rehearsals"}
"""Groups that attack the sandbox: a case is graded at level 2 and at level 3. Those of the others,
which are about what a child hands over, are graded at one or the other, in turn: grading all twice
would take too long."""


def _in_turn(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    return tuple(
        replace(case, levels=(BOTH[at % 2],)) if case.levels == BOTH else case
        for at, case in enumerate(cases)
    )


CASES: dict[str, tuple[Case, ...]] = {
    name: _in_turn(module.CASES) if name not in OF_THE_SANDBOX else module.CASES
    for name, module in GROUPS.items()
}
ENTRIES: dict[str, tuple[str, ...]] = {name: module.ENTRIES for name, module in GROUPS.items()}
