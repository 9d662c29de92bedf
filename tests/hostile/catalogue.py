"""Every case of every group, and the entries of the catalogue that each group must answer."""

from __future__ import annotations

from tests.hostile.case import Case
from tests.hostile.cases import (
    files,
    forged_output,
    framework,
    honest,
    imports,
    model_level,
    monkeypatching,
    operators,
    process,
    resources,
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
    "honest": honest,
}
CASES: dict[str, tuple[Case, ...]] = {name: module.CASES for name, module in GROUPS.items()}
ENTRIES: dict[str, tuple[str, ...]] = {name: module.ENTRIES for name, module in GROUPS.items()}
