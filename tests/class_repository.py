"""A git repository of a class, made in a test: commits by people, also of odd trees."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
HAND_INS = "assignments/mnist_8k/submissions"

NETWORK = '''\
import torch
from torch import nn


class Net(nn.Module):
    """Keeps every rule of mnist_8k that needs no training, unless `relu` is taken out."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 5), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 5), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.05),
            nn.Conv2d(8, 16, 5), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 10, 4, padding=2),
        )

    def forward(self, images):
        return self.features(images).mean((2, 3))
'''


def rules_of(name: str) -> str:
    """The rules of an assignment, on practice digits, which are there without a download."""
    text = (ROOT / "assignments" / name / "assignment.toml").read_text(encoding="utf-8")
    for old, new in {
        r'^dataset = "mnist"': 'dataset = "practice"',
        r"^most_seeds = \d+": "most_seeds = 1",
        r"^accuracy = 0[.]\d+": "accuracy = 0.2",
        r"^epochs = \d+\nbatch_size": "epochs = 3\nbatch_size",
    }.items():
        text, count = re.subn(old, new, text, flags=re.MULTILINE)
        assert count == 1, old
    return text


class ClassRepository:
    """`main` has two assignments, a noxfile and Anna's work; `commit` goes on from there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        rules = {}
        for name in ("mnist_8k", "mnist_20k"):
            rules[f"assignments/{name}/assignment.toml"] = rules_of(name)
            rules[f"assignments/{name}/submissions/.gitkeep"] = ""
        begun = {**rules, "noxfile.py": "# grades\n", ".github/workflows/grade.yml": "on: push\n"}
        self.commit({**begun, "grader/notes.md": "", "README.md": "# A course\n"}, by="Instructor")
        self.commit({f"{HAND_INS}/anna.py": NETWORK}, by="Anna Liddell")
        self.base = self.git("rev-parse", "HEAD")

    def git(self, *arguments: str, by: str = "Instructor", data: bytes | None = None) -> str:
        address = f"{by.split()[0].lower()}@example.org"
        identity = {
            "GIT_AUTHOR_NAME": by,
            "GIT_AUTHOR_EMAIL": address,
            "GIT_COMMITTER_NAME": by,
            "GIT_COMMITTER_EMAIL": address,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**os.environ, **identity},
            input=data,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return os.fsdecode(done.stdout).rstrip("\n")

    def commit(
        self,
        files: dict[str, str | bytes] | None = None,
        *,
        by: str = "Bert",
        remove: tuple[str, ...] = (),
        move: dict[str, str] | None = None,
    ) -> str:
        """Write, move and remove files, and commit that; the commit's hash."""
        for name, content in (files or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        for old, new in (move or {}).items():
            (self.folder / new).parent.mkdir(parents=True, exist_ok=True)
            self.git("mv", old, new)
        for name in remove:
            self.git("rm", "--quiet", "-r", "--", name)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A commit", by=by)
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, entries: list[tuple[str, str, bytes]], *, by: str = "Bert") -> str:
        """A commit that adds entries to the index without a file on the disk: (mode, path, blob).

        For modes of links and submodules `blob` is the target, or the hash of a commit.
        """
        for mode, path, content in entries:
            name = content.decode()
            if mode != "160000":
                name = self.git("hash-object", "-w", "--stdin", data=content)
            self.git("update-index", "--add", "--cacheinfo", f"{mode},{name},{path}")
        self.git("commit", "--quiet", "--message", "Odd entries", by=by)
        return self.git("rev-parse", "HEAD")

    def back(self) -> None:
        """Check the base out again, as a workflow does; the pull request's commits stay in git."""
        self.git("checkout", "--quiet", "--force", "--detach", self.base)
        self.git("clean", "--quiet", "-dff")
