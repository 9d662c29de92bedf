"""The workflows as files: thin, pinned, without more rights than they need."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.workflows.runner import ROOT, WORKFLOWS, read, steps

NAMES = sorted(file.name for file in WORKFLOWS.glob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n")


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_by_its_commit_with_its_version_beside_it(name):
    text = (WORKFLOWS / name).read_text()
    assert text.count("uses: ") == len(PINNED.findall(text))


def test_an_action_has_one_version():
    texts = [(WORKFLOWS / name).read_text() for name in NAMES]
    uses = {line for text in texts for line in re.findall(r"uses: (.*)", text)}
    assert len(uses) == len({line.partition("@")[0] for line in uses})


@pytest.mark.parametrize("name", NAMES)
def test_no_expression_stands_in_a_script_where_a_title_or_a_branch_could_become_shell(name):
    for step in steps(name):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_valid_shell_and_short(name):
    for step in steps(name):
        script = step.get("run", "")
        done = subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True)
        assert done.returncode == 0, done.stderr
        assert script.count("\n") <= 9, "the work belongs into the product"


@pytest.mark.parametrize("name", NAMES)
def test_only_the_comment_may_write_and_nothing_runs_with_rights_on_foreign_code(name):
    workflow = read(name)
    events = workflow[True]  # YAML 1.1 reads the key `on` as a truth
    assert "pull_request_target" not in str(events)
    writes = [right for right, value in workflow["permissions"].items() if value == "write"]
    assert writes == (["pull-requests"] if name == "comment.yml" else [])
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 360


@pytest.mark.parametrize("name", NAMES)
def test_no_checkout_leaves_a_token_on_the_disk(name):
    checkouts = [step for step in steps(name) if "checkout" in step.get("uses", "")]
    assert checkouts
    for step in checkouts:
        assert step["with"]["persist-credentials"] is False


def test_what_grades_comes_from_the_base_and_asks_for_isolation_the_real_images_and_a_time_limit():
    [checkout, *_] = steps("grade.yml")
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert checkout["with"]["fetch-depth"] == 0
    for name in ("grade.yml", "gradebook.yml"):
        [script] = [
            step["run"] for step in steps(name) if "bin/grader grade " in step.get("run", "")
        ]
        assert "--require-isolation 2" in script
        assert "--dataset own" in script
        assert "--minutes 60" in script


def test_the_comment_is_written_after_the_workflow_of_that_name():
    events = read("comment.yml")[True]
    assert events["workflow_run"]["workflows"] == [read("grade.yml")["name"]]


def test_gitlab_takes_the_rules_from_the_target_branch_before_it_grades():
    job = yaml.safe_load((ROOT / ".ci" / "gitlab.yml").read_text())["grade"]
    checkout = next(place for place, line in enumerate(job["script"]) if "checkout" in line)
    grading = next(place for place, line in enumerate(job["script"]) if "--changed-from" in line)
    assert checkout < grading
    assert job["variables"]["GIT_DEPTH"] == "0"


def test_the_container_is_made_of_files_that_are_there_and_runs_as_nobody_special():
    lines = (ROOT / ".ci" / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    assert copied
    for name in [name for names in copied for name in names]:
        assert Path(ROOT / name).exists(), name
    users = [line for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] != "USER root"
