"""Whatever a submission has put into its folder, all of it can be removed."""

from __future__ import annotations

import os
from pathlib import Path

from grader.sandbox.removal import remove


def deep(folder: Path, levels: int) -> None:
    """Folders in folders, deeper than a path can say."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_five_thousand_folders_in_one_another_are_removed(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    deep(folder, 5_000)
    remove(folder)
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_not_followed(tmp_path):
    kept = tmp_path / "kept"
    (kept / "inner").mkdir(parents=True)
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    (folder / "nowhere").symlink_to("nowhere")
    remove(folder)
    assert list(tmp_path.iterdir()) == [kept]
    assert list(kept.iterdir()) == [kept / "inner"]


def test_folders_that_may_not_be_entered_and_odd_names_are_removed(tmp_path):
    folder = tmp_path / "own"
    (folder / "closed" / "inner").mkdir(parents=True)
    (folder / os.fsdecode(b"\xff\n")).write_bytes(b"")
    (folder / "closed").chmod(0)
    remove(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_no_error(tmp_path):
    remove(tmp_path / "own")
    assert list(tmp_path.iterdir()) == []
