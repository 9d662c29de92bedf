"""docs/handing_in.md says what is followed and what is not: each row has cases that show it.

The cases themselves are rehearsed in test_cases.py: what trains with its exact recipe, what does
not with words of its reason and its line.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.rehearsal.cases import all_cases

PAGE = Path(__file__).parents[2] / "docs" / "handing_in.md"
CASES = {case.name: case for case in all_cases()}
FOLLOWED = {
    "length": {
        "epochs": "all_at_top_level",
        "batch size": "argparse_adadelta",
        "`drop_last`": "drop_last",
        "`Subset`": "subset_first_1000",
        "`random_split`": "random_split_50000",
        "`SubsetRandomSampler`": "subset_random_sampler",
    },
    "optimizer": {
        "parameter groups": "groups_without_decay",
        "frozen weights": "frozen_first_layer",
        "clipping": "clip_norm",
        "momentum": "one_cycle_per_batch",
        "weight decay": "decay_switched_off",
    },
    "schedule": {
        "by epoch": "exponential",
        "by batch": "cosine_per_batch",
        "rates that your code sets by itself": "rate_set_by_hand",
    },
    "loss": {
        "cross entropy": "main_function",
        "negative log-likelihood": "cells_exported_by_colab",
        "options": "label_smoothing",
        "L1 and L2 terms": "l1_and_l2_terms",
    },
    "images": {"v1": "random_apply_crop", "v2": "transforms_v2"},
    "results": {
        "`ReduceLROnPlateau`": "plateau_on_test_loss",
        "patience": "early_stopping_class",
        "a stop at an accuracy": "stop_at_99_4",
    },
    "Lightning": {"`max_epochs`": "lightning_script", "`configure_optimizers`": "lightning"},
}
NOT_FOLLOWED = {
    "a loss of your own, or two losses": ("focal_loss", "two_losses_for_two_heads"),
    "images changed in the loop (mixup, noise, normalising)": (
        "mixup",
        "noise_in_the_loop",
        "normalises_in_the_loop",
    ),
    "a transform of your own, or of another package, that equals none of torchvision's (noise, "
    "cutout, albumentations' `Rotate`, `ShiftScaleRotate`, `RandomCrop`)": (
        "lambda_with_noise",
        "cutout_class",
        "albumentations",
    ),
    "an optimizer of your own": ("own_optimizer_lion",),
    "gradients of several batches added up before a step": ("gradient_accumulation",),
    "loops that are left early; steps of several kinds; several networks trained as one": (
        "first_batches_only",
        "teacher_and_student",
        "gan",
    ),
    "rates that follow results by a rule of your own": ("rate_follows_results",),
    "an early stop that compares an epoch with the one before it, or counts bad epochs that are "
    "not in a row": ("stops_when_loss_no_longer_changes", "counts_all_bad_epochs"),
    "a search for the learning rate whose weights the training goes on with": (
        "search_that_keeps_weights",
        "search_that_restores_nothing",
    ),
    "a rate or batch size that Lightning's Tuner sets, `optimizer_step()` and the like of your "
    "own, several devices, `val_check_interval` with an `EarlyStopping`": (
        "lightning_lr_find",
        "lightning_steps_by_itself",
        "lightning_two_devices",
        "lightning_val_check_interval",
    ),
    "a file, module or argument that is not there": (
        "yaml_config_not_handed_in",
        "missing_sibling",
        "asks_for_input",
    ),
    "data of your own, weights loaded from a checkpoint": ("csv_data", "pretrained_checkpoint"),
    "training in several processes (`torch.multiprocessing.spawn`, `Process.start()`, torchrun)": (
        "spawns_two_processes",
        "starts_a_process",
        "started_by_torchrun",
    ),
    "the training left to fastai, ignite, skorch, transformers' Trainer and the like": (
        "fastai",
        "ignite_engine",
    ),
    "an optimizer or scheduler of another package (`warmup_scheduler`, timm, `torch_optimizer`)": (
        "optimizer_of_another_package",
        "scheduler_of_another_package",
    ),
    "a loss that `forward()` itself computes and gives": ("forward_gives_loss_and_logits",),
    "a rate that is set by hand beside a `ReduceLROnPlateau`": ("rate_by_hand_beside_a_plateau",),
    "an endless or slow file": ("until_perfect",),
    "Keras or TensorFlow": ("keras",),
}


def rows(heading: str) -> dict[str, str]:
    """The first table under a heading: its first cells with the second ones."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", text, re.M)
    assert table
    cells = [line.strip("|\n ").split(" | ") for line in table[0].splitlines()[2:]]
    return {row[0].strip(): row[1].strip() for row in cells}


def test_each_row_of_what_is_followed_has_its_cases():
    assert list(rows("What is followed")) == list(FOLLOWED)


@pytest.mark.parametrize("row", FOLLOWED)
def test_what_the_page_says_is_followed_is(row):
    said = rows("What is followed")[row]
    for words, name in FOLLOWED[row].items():
        assert words in said
        assert CASES[name].trains


def test_each_row_of_what_cannot_be_followed_has_its_cases():
    assert list(rows("What cannot be followed")) == list(NOT_FOLLOWED)


@pytest.mark.parametrize("row", NOT_FOLLOWED)
def test_what_the_page_says_is_refused_is_with_its_reason(row):
    for name in NOT_FOLLOWED[row]:
        assert not CASES[name].trains
        assert CASES[name]["refused"]
