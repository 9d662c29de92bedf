"""Keep one comment of a pull request up to date. In: a finished run of grade.yml. Out: a comment.

The event and GitHub's API say which pull request it was: an open one whose branch is still at the
commit that was graded. The artifact only gives text, and whoever opened the pull request may have
written it: so many bytes are taken, nobody is called by it, and where the pull request changes the
workflow itself, the comment says that first. Nothing but Python's own library is needed.

https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows
"""

from __future__ import annotations

import io
import json
import os
import sys
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARKER = "<!-- written by .github/comment.py -->"
AUTHOR = "github-actions[bot]"
ARTIFACT, FILE = "comment", "comment.md"
MOST_PACKED = 200_000
MOST_TEXT = 60_000
"""Bytes; GitHub takes 65,536 characters."""
PAGES, A_PAGE = 10, 100
CHANGED = (
    "> **This pull request changes `.github/`**, and with it the very workflow that wrote what "
    "follows. It may not be the grader's: look at the changes before it counts.\n\n"
)


def main() -> int:
    """Comment on each pull request that the run was for."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    run = event["workflow_run"]
    text = report(run["id"])
    if text is None:
        say("The run left no comment of a fair size: nothing is written.")
        return 0
    numbers = list(pull_requests(run))
    if not numbers:
        say(f"No open pull request is at {run['head_sha']} any more: nothing is written.")
    for number in numbers:
        write(number, f"{MARKER}\n{CHANGED if changes_workflow(number) else ''}{text}")
    return 0


def pull_requests(run: dict[str, Any]) -> Iterator[int]:
    """The numbers of the open pull requests from that branch that are at that commit."""
    if not run.get("head_repository"):  # the fork has been deleted
        return
    head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
    query = urllib.parse.urlencode({"state": "open", "head": head, "per_page": A_PAGE})
    for found in ask(f"pulls?{query}"):
        if found["head"]["sha"] == run["head_sha"]:
            yield int(found["number"])


def report(run: int) -> str | None:
    """The text that the run left, harmless; None where there is none, or too much."""
    artifacts = ask(f"actions/runs/{int(run)}/artifacts?name={ARTIFACT}&per_page={A_PAGE}")
    for artifact in artifacts["artifacts"]:
        if artifact["expired"] or artifact["size_in_bytes"] > MOST_PACKED:
            continue
        packed = fetch(f"actions/artifacts/{int(artifact['id'])}/zip", most=MOST_PACKED + 1)
        return harmless(unpacked(packed))
    return None


def unpacked(packed: bytes) -> bytes:
    """The file in the archive, at most `MOST_TEXT` bytes of it whatever the archive says."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive, archive.open(FILE) as file:
            return file.read(MOST_TEXT)
    except (KeyError, ValueError, OSError, RuntimeError, zipfile.BadZipFile, NotImplementedError):
        return b""


def harmless(content: bytes) -> str | None:
    """The text without control characters and without calling anybody; None where none is left."""
    letters = content.decode("utf-8", "ignore")
    kept = "".join(letter for letter in letters if letter.isprintable() or letter in "\n\u200b")
    return kept.replace("@", "@\u200b").strip()[:MOST_TEXT] or None


def changes_workflow(number: int) -> bool:
    """Whether the pull request changes a workflow, or so much that nobody can tell."""
    for page in range(1, PAGES + 1):
        files = ask(f"pulls/{number}/files?per_page={A_PAGE}&page={page}")
        for file in files:
            names = (file["filename"], file.get("previous_filename", ""))
            if any(name.casefold().startswith(".github/") for name in names):
                return True
        if len(files) < A_PAGE:
            return False
    return True


def write(number: int, body: str) -> None:
    """Change our own comment there, or write it."""
    for page in range(1, PAGES + 1):
        comments = ask(f"issues/{number}/comments?per_page={A_PAGE}&page={page}")
        for comment in comments:
            if comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARKER):
                ask(f"issues/comments/{int(comment['id'])}", method="PATCH", body=body)
                return
        if len(comments) < A_PAGE:
            break
    ask(f"issues/{number}/comments", method="POST", body=body)


def ask(path: str, *, method: str = "GET", body: str | None = None) -> Any:
    """What the API answers about this repository."""
    data = None if body is None else json.dumps({"body": body}).encode()
    return json.loads(fetch(path, method=method, data=data))


def fetch(path: str, *, method: str = "GET", data: bytes | None = None, most: int = -1) -> bytes:
    """The bytes of an answer. The token is not handed on where GitHub sends us elsewhere."""
    address = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}"
    request = urllib.request.Request(address, data=data, method=method)  # noqa: S310 - GitHub's own
    request.add_header("Accept", "application/vnd.github+json")
    request.add_header("X-GitHub-Api-Version", "2022-11-28")
    request.add_unredirected_header("Authorization", f"Bearer {os.environ['TOKEN']}")
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        content: bytes = answer.read(most)
        return content


def say(text: str) -> None:
    """A line for the log."""
    print(text)  # noqa: T201 - to people


if __name__ == "__main__":
    sys.exit(main())
