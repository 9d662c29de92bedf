"""GitLab's job, its own lines run on a merge request of a class made for it."""

import json
import os
import subprocess

import yaml

from tests.class_repository import HAND_INS, ClassRepository
from tests.workflows.runner import ROOT, Runner


def test_a_merge_request_is_judged_by_the_rules_of_its_target(tmp_path):
    server = ClassRepository(tmp_path / "server")
    rules = "assignments/mnist_8k/assignment.toml"
    files = {rules: "everything = 'allowed'\n", f"{HAND_INS}/bert.txt": "later\n"}
    head = server.commit(files, remove=(f"{HAND_INS}/anna.py",))
    server.git("branch", "theirs")
    server.git("reset", "--quiet", "--hard", server.base)
    checkout = tmp_path / "checkout"
    server.git("clone", "--quiet", f"file://{server.folder}", str(checkout))
    server.git("-C", str(checkout), "checkout", "--quiet", "--detach", head)  # as GitLab does

    command = Runner(checkout, {}).checkout / ".nox" / "grader" / "bin"
    job = yaml.safe_load((ROOT / ".ci" / "gitlab.yml").read_text())["grade"]
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(job["script"])],
        cwd=checkout,
        env={
            "PATH": f"{command}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "GITLAB_CI": "true",
            "CI_COMMIT_SHA": head,
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    assert f"{HAND_INS}/anna.py: error: Somebody handed this in before" in done.stdout
    assert f"{HAND_INS}/bert.txt: error: The wrong kind of file" in done.stdout
    assert "::" not in done.stdout, "GitLab knows no such commands"
    run = json.loads((checkout / "grades" / "run.json").read_text())
    assert run["base"] == server.base
    assert not [remark for remark in run["remarks"] if "Not the rules" in remark["title"]]
