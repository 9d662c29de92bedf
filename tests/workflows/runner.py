"""A workflow's own shell, run here as GitHub's runner runs it; actions of others are not run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    return found


def steps(name: str) -> list[dict[str, Any]]:
    """Every step of every job."""
    return [step for job in read(name)["jobs"].values() for step in job["steps"]]


@dataclass
class Ran:
    """What a job's shell left behind: the exit code of the first step that failed, or 0."""

    code: int = 0
    out: str = ""
    err: str = ""
    skipped: list[str] = field(default_factory=list)


@dataclass
class Runner:
    """A checkout, what the expressions of the workflow stand for, and a grader that is installed.

    `options` are added to every call of `grade`.
    """

    checkout: Path
    values: dict[str, str]
    options: str = ""

    def __post_init__(self) -> None:
        self.temporary = self.checkout.parent / "runner"
        self.temporary.mkdir(exist_ok=True)
        self.summary = self.temporary / "summary.md"
        self.output = self.temporary / "output"
        for file in (self.summary, self.output):
            file.write_text("")
        command = self.checkout / ".nox" / "grader" / "bin" / "grader"
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(
            f'#!/bin/bash\nif [ "$1" = grade ]; then set -- "$@" {self.options}; fi\n'
            f"PYTHONPATH='{ROOT}' exec '{sys.executable}' -m grader \"$@\"\n"
        )
        command.chmod(0o755)

    def run(self, name: str) -> Ran:
        """Run the job's own steps; those that only install are left out."""
        ran = Ran()
        for step in steps(name):
            script = step.get("run")
            if script is None or step["name"].startswith("Install"):
                ran.skipped.append(step.get("uses") or step["name"])
                continue
            done = self._bash(script, step.get("env", {}))
            ran.out += done.stdout
            ran.err += done.stderr
            if done.returncode:
                ran.code = done.returncode
                break
        return ran

    def _bash(self, script: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """https://docs.github.com/actions/reference/workflow-syntax: `bash -e`, a file."""
        file = self.temporary / "step.sh"
        file.write_text(script)
        given = {name: EXPRESSION.sub(self._value, text) for name, text in env.items()}
        github = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.output),
            "RUNNER_TEMP": str(self.temporary),
            "CI": "true",
        }
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.temporary)}
        return subprocess.run(
            ["bash", "-e", str(file)],
            cwd=self.checkout,
            env={**kept, **github, **given, "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"]},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            timeout=500,
        )

    def _value(self, expression: re.Match[str]) -> str:
        return self.values[expression[1].strip()]
