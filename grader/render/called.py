"""How the user called the grader, so that the commands it prints work as they stand.

In: how this process was started. Out: the beginning of a command line. Nothing here is run.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from grader.printable import printable

SESSIONS = ("grade", "class", "analyse", "recipe", "explain", "report", "export")
"""The commands that nox has by their own names; `nox -s grader -- NAME` is any other."""
NAME = "grader"


def called(command: str, *arguments: str) -> str:
    """The command as a line: `grader explain gap`, or with what starts the grader here."""
    words = map(shlex.quote, arguments)
    if not os.environ.get("NOX_CURRENT_SESSION"):
        return printable(" ".join([program(), command, *words]), 400)
    nox = "uvx nox" if os.environ.get("UV") else "nox"  # uvx says so to what it runs
    session = f"{command} --" if command in SESSIONS else f"{NAME} -- {command}"
    return printable(" ".join([nox, "-s", session, *words]), 400)


def program() -> str:
    """What the user typed to get here: `grader`, `python3 -m grader`, `uvx --from ... grader`."""
    started = Path(sys.argv[0])
    if started.parts[-2:] == (NAME, "__main__.py"):
        return f"{_typed(sys.orig_argv[0], 'python')} -m {NAME}"
    if started.stem != NAME:  # a notebook, a test
        return NAME
    if os.environ.get("UV") and Path(sys.prefix).parent.name.startswith("archive-"):
        return f"uvx --from {shlex.quote(_origin())} {NAME}"
    return _typed(sys.argv[0], NAME)


def _typed(path: str, name: str) -> str:
    """A program as it can be typed: its name where the shell finds it, else its path."""
    short = Path(path).name.removesuffix(".exe")
    on_path = shutil.which(short)
    if on_path is not None and Path(on_path).absolute() == Path(path).absolute():
        return short
    if os.sep not in path:
        return path
    # Windows' shells do not take the quotes of others.
    return name if os.name == "nt" else shlex.quote(path)


def _origin() -> str:
    """What the package was installed from, as `uvx --from` takes it."""
    from importlib import metadata  # 20 ms, for this alone

    try:
        facts = json.loads(metadata.distribution(NAME).read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:
        facts = {}
    if not isinstance(facts, dict) or "url" not in facts:
        return NAME
    url = str(facts["url"])
    if "vcs_info" in facts:
        revision = facts["vcs_info"].get("requested_revision")
        return f"{facts['vcs_info']['vcs']}+{url}{f'@{revision}' if revision else ''}"
    parts = urlsplit(url)
    if parts.scheme != "file":
        return url
    path = unquote(parts.path)
    return path.lstrip("/") if os.name == "nt" else path  # "/C:/folder"
