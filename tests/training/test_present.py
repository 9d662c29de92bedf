"""Where there is no GPU, that is known without torch; where there may be one, torch is asked."""

from __future__ import annotations

import sys

import pytest

from grader.training import device, present


def test_no_file_of_a_driver_is_no_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert present.kind_without_torch("auto", tmp_path) == "cpu"


@pytest.mark.parametrize("name", ["nvidiactl", "nvidia0", "dxg", "kfd"])
def test_a_driver_is_for_torch_to_ask(name, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / name).write_text("")
    assert present.kind_without_torch("auto", tmp_path) is None


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_are_for_torch_to_ask(system, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", system)
    assert present.kind_without_torch("auto", tmp_path) is None


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_gpu_that_was_asked_for_is_for_torch_to_ask(name, tmp_path):
    assert present.kind_without_torch(name, tmp_path) is None
    assert present.kind_without_torch("cpu", tmp_path) == "cpu"


def test_torch_says_the_same_here():
    assert present.kind_without_torch("auto") in (None, device.choose("auto").type)
