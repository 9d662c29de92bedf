"""comment.yml's script against a stand-in of GitHub's API: one comment, whatever is given to it."""

import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.workflows.runner import ROOT, steps

SHA = "a" * 40
MARKER = "<!-- written by .github/comment.py -->"


def packed(text, name="comment.md"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return stream.getvalue()


class GitHub:
    """What the API knows, and the comments that were written. It answers like the real one."""

    def __init__(self):
        self.artifact = packed("# ✓ passed: 1 submission\n")
        self.size = None
        self.pulls = [{"number": 7, "head": {"sha": SHA}}]
        self.files = [{"filename": "assignments/mnist_8k/submissions/bert.py"}]
        self.comments = []
        self.heads, self.tokens_elsewhere = [], []

    def answer(self, method, url, body, headers):
        """The status, and what is sent."""
        parts = urlsplit(url)
        path = parts.path.removeprefix("/repos/course/class/")
        query = parse_qs(parts.query)
        if parts.path == "/elsewhere":
            self.tokens_elsewhere.append(headers.get("Authorization"))
            return 200, self.artifact
        assert headers["Authorization"] == "Bearer secret"
        if path == "pulls":
            self.heads += query["head"]
            return 200, self.pulls
        if path == "actions/runs/99/artifacts":
            size = len(self.artifact) if self.size is None else self.size
            found = {"id": 5, "name": "comment", "expired": False, "size_in_bytes": size}
            return 200, {"artifacts": [found]}
        if path == "actions/artifacts/5/zip":
            return 302, "/elsewhere"
        if path == "pulls/7/files":
            return 200, self.files
        return self._comment(method, path, body)

    def _comment(self, method, path, body):
        if path == "issues/7/comments" and method == "GET":
            return 200, self.comments
        if path == "issues/7/comments":
            user = {"login": "github-actions[bot]"}
            self.comments.append({"id": len(self.comments), "user": user, "body": body})
            return 201, {}
        number = int(path.removeprefix("issues/comments/"))
        self.comments[number]["body"] = body
        return 200, {}


@pytest.fixture
def github():
    known = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length))["body"] if length else None
            status, found = known.answer(self.command, self.path, body, self.headers)
            data = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", found)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PATCH = do_GET  # noqa: N815 - names that http.server calls

        def log_message(self, *_):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    known.address = f"http://127.0.0.1:{server.server_port}"
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


def comment(github, tmp_path, **run):
    """Run the script as the workflow does, on the event of a finished run."""
    known = {
        "id": 99,
        "head_sha": SHA,
        "head_branch": "my-network",
        "head_repository": {"owner": {"login": "bert"}},
    }
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"workflow_run": known | run}))
    [script] = [step["run"] for step in steps("comment.yml") if "run" in step]
    program, *arguments = script.split()
    assert program == "python3"
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "GITHUB_API_URL": github.address,
            "GITHUB_REPOSITORY": "course/class",
            "GITHUB_EVENT_PATH": str(event),
            "TOKEN": "secret",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_first_run_writes_a_comment_and_the_second_changes_it(github, tmp_path):
    assert comment(github, tmp_path).returncode == 0
    github.artifact = packed("# ✗ not passed: 1 submission\n")
    assert comment(github, tmp_path).returncode == 0
    [written] = github.comments
    assert written["body"] == f"{MARKER}\n# ✗ not passed: 1 submission"
    assert github.heads == ["bert:my-network"] * 2
    assert github.tokens_elsewhere == [None, None], "the token is for GitHub alone"


def test_a_comment_of_somebody_else_is_left_alone(github, tmp_path):
    forged = {"id": 0, "user": {"login": "bert"}, "body": f"{MARKER}\nmine"}
    github.comments.append(forged)
    comment(github, tmp_path)
    assert [one["body"].splitlines()[1] for one in github.comments] == [
        "mine",
        "# ✓ passed: 1 submission",
    ]


@pytest.mark.parametrize("pulls", [[], [{"number": 7, "head": {"sha": "b" * 40}}]])
def test_a_run_of_an_older_commit_says_nothing(github, tmp_path, pulls):
    github.pulls = pulls
    done = comment(github, tmp_path)
    assert (done.returncode, github.comments) == (0, [])
    assert "No open pull request is at" in done.stdout


def test_a_change_of_the_workflow_is_said_first(github, tmp_path):
    github.files.append({"filename": "x", "previous_filename": ".GitHub/workflows/grade.yml"})
    comment(github, tmp_path)
    assert "**This pull request changes `.github/`**" in github.comments[0]["body"]


def test_a_text_calls_nobody_and_has_no_control_characters(github, tmp_path):
    github.artifact = packed("hello @everyone\x1b[31m\u202e\r\nend")
    comment(github, tmp_path)
    assert github.comments[0]["body"] == f"{MARKER}\nhello @\u200beveryone[31m\nend"


def test_a_fork_that_was_deleted_meanwhile_is_no_error(github, tmp_path):
    done = comment(github, tmp_path, head_repository=None)
    assert (done.returncode, github.comments) == (0, [])


@pytest.mark.parametrize("letter", ["x", "@"])
def test_a_bomb_is_not_unpacked(github, tmp_path, letter):
    github.artifact = packed(letter * 100_000_000)
    assert len(github.artifact) < 200_000
    assert comment(github, tmp_path).returncode == 0
    assert len(github.comments[0]["body"]) < 65_536


@pytest.mark.parametrize(
    "artifact",
    [b"", b"not a zip", packed("text", "other.md"), packed("text")[:-30], packed("  \n")],
)
def test_an_artifact_that_is_none_is_said_and_nothing_is_written(github, tmp_path, artifact):
    github.artifact = artifact
    done = comment(github, tmp_path)
    assert done.returncode == 0, done.stderr
    assert github.comments == []
    assert "no comment of a fair size" in done.stdout


def test_a_large_artifact_is_not_fetched(github, tmp_path):
    github.size = 10_000_000
    comment(github, tmp_path)
    assert (github.comments, github.tokens_elsewhere) == ([], [])


def test_a_branch_with_an_odd_name_is_one_word_of_the_question(github, tmp_path):
    comment(github, tmp_path, head_branch="a&state=closed#b $(x)")
    assert github.heads == ["bert:a&state=closed#b $(x)"]
