"""Try the default recipe of one assignment, in a process of its own that loads torch and ends.

Started by `default_recipe.py` with `python -I`; nobody imports it. In: the assignment's folder, and
the seal of its rules. Out: JSON on standard output: what is wrong, "" where nothing is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# `python -I` leaves the grader's own folder out; another grader may be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from grader import assignment as assignments
from grader.errors import AssignmentError
from grader.judging import building
from grader.sandbox import same_code
from grader.storage import seal


def main() -> int:
    """The exit code: 0 where the answer is written."""
    folder, rules = sys.argv[1:]
    asked = assignments.load(Path(folder))
    if seal.of_rules(asked) != rules:
        return 1
    wrong = ""
    try:
        building.build_and_use(asked)
    except AssignmentError as error:
        wrong = str(error)
    sys.stdout.write(json.dumps({"wrong": wrong, **same_code.own()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
