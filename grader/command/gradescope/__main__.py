"""Grade the one submission of a container of Gradescope's: `prepare` and `run`.

In: /autograder with `source`, `submission` and `submission_metadata.json`. Out:
`results/results.json`, which is the student's; an exit code and standard output, which are the
instructor's. No results.json is written where the grader is at fault: Gradescope then says that the
autograder failed, and nobody has a grade that was not earned.

https://gradescope-autograders.readthedocs.io/en/latest/submission_metadata/
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from grader.assignment import Assignment, load
from grader.command import head_start, session
from grader.command.endings import guarded
from grader.options import Options
from grader.printable import printable
from grader.render import gradescope, words
from grader.report import Report
from grader.sandbox import temporary
from grader.storage.atomic import write_whole
from grader.submission.submission import UsageError
from grader.submission.walk import Walk
from grader.training import data
from grader.training.datasets import DATASETS

NO_CODE = "There is no Python file and no notebook to grade in what you handed in."


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="grader.command.gradescope")
    parser.add_argument("deed", choices=["prepare", "run"])
    parser.add_argument("assignment")
    parser.add_argument("home", type=Path)
    parser.add_argument("--isolation", type=int, default=2)
    parser.add_argument("--seeds", default="auto")
    asked = parser.parse_args(arguments)
    home: Path = asked.home.absolute()
    rules = load(home / "source" / "assignments" / asked.assignment)
    if asked.deed == "prepare":
        return guarded(lambda: prepare(rules, home))
    seeds = None if asked.seeds == "auto" else int(asked.seeds)
    return guarded(lambda: run(rules, home, isolation=asked.isolation, seeds=seeds))


def prepare(rules: Assignment, home: Path) -> int:
    """Download the images. Raises GraderError where they cannot be had."""
    data.resolve(DATASETS[rules.dataset], home / "data", choice="own", say=session.say)
    return 0


def run(rules: Assignment, home: Path, *, isolation: int, seeds: int | None) -> int:
    """Grade, and write results.json; 0 where it could be graded, also where it failed."""
    about = metadata(home / "submission_metadata.json")
    results = home / "results" / "results.json"
    warn_of_points(rules, about)
    with temporary.folder() as folder:
        # By that name it is one person's, whatever is in it, and the person's name is on it.
        place = folder / f"{_person(about)}_assignsubmission_file"
        shutil.copytree(home / "submission", place, symlinks=True)
        found = Walk(folder, folder)
        found.visit(place)
        if not found.found:
            reasons = [f"{one.display.rpartition('/')[2]}: {one.reason}" for one in found.left_out]
            write_whole(results, nothing(rules, [NO_CODE, *reasons]))
            return 0
        options = Options(
            paths=(place,),
            assignment=rules.name,
            root=home / "source",
            home=place,
            dataset="own",
            data=home / "data",
            seeds=seeds,
            require_isolation=isolation,
            output=folder / "grades",
        )
        graded: list[Report] = []
        with head_start.workroom(options) as room:
            code = session.grade_in(room, options, graded)
        if code not in (0, 1):
            return code
        write_whole(results, gradescope.render(graded))
    return 0


def metadata(file: Path) -> dict[str, Any]:
    """What Gradescope says of the submission; nothing where that is not there."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def warn_of_points(rules: Assignment, about: dict[str, Any]) -> None:
    """Say to the instructor where Gradescope was told another number of points."""
    assignment = about.get("assignment")
    total = str(assignment.get("total_points", "")) if isinstance(assignment, dict) else ""
    points = words.points(rules.points)
    if re.fullmatch(r"\d+([.]\d+)?", total) and float(total) != float(rules.points):
        session.say(
            f"Gradescope has {printable(total, 20)} points for this assignment and "
            f"assignment.toml has {points}: the score is of {points}.",
            style="yellow",
        )


def nothing(rules: Assignment, lines: list[str]) -> str:
    """results.json for a submission without anything to grade."""
    text = printable("\n".join(lines), 4000, lines=True)
    test = {
        "name": "There is something to grade",
        "score": 0,
        "max_score": rules.points,
        "status": "failed",
        "output": text,
    }
    found = {"score": 0, "output": text, "output_format": "text", "tests": [test]}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _person(about: dict[str, Any]) -> str:
    """The name of who handed in and Gradescope's number, as the name of a folder."""
    listed = about.get("users")
    users = listed if isinstance(listed, list) else []
    named = " and ".join(str(user.get("name", "")) for user in users if isinstance(user, dict))
    plain = " ".join(re.sub(r"[^\w .'-]", " ", named).split())[:60].strip(". ") or "submission"
    number = str(about.get("id") or "0")
    return f"{plain}_{number if number.isdecimal() else 0}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as error:
        sys.exit(str(error))
