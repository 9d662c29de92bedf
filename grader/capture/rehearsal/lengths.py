"""How long a training is: epochs, batches, and how many images it takes from the training set.

In: the walks over loaders that fed the steps. Out: a `Length`, and findings. Runs in the child.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils import data

from grader.capture.rehearsal.findings import Findings, count
from grader.capture.rehearsal.trace import Walk
from grader.program.listing import Listing

_SHUFFLES = (data.RandomSampler, data.SubsetRandomSampler)


@dataclass(frozen=True, slots=True)
class Length:
    """Epochs of batches. `images` are those of one epoch, before a last short batch is dropped.

    `batches` are taken in an epoch, each of which should be one of `steps_per_epoch`.
    """

    epochs: int
    steps_per_epoch: int
    batches: int
    batch_size: int
    images: int
    drop_last: bool


def line_of(loader: Any) -> int | None:
    """Where the student made the loader."""
    line = getattr(loader, "rehearsal_line", None)
    return line if isinstance(line, int) else None


def read(
    walks: Sequence[tuple[Walk | None, int]],
    listing: Listing,
    line: int | None,
    findings: Findings,
) -> Length | None:
    """The length of a training, from its (walk, steps) in order; None where there is none."""
    fed = [(walk, steps) for walk, steps in walks if walk is not None]
    if len(fed) < len(walks) or not walks:
        findings.obstacle(
            "Some steps are not fed by a DataLoader, so the grader cannot tell epochs and batch "
            "size: take the batches from torch.utils.data.DataLoader. For images that are a tensor "
            "that is DataLoader(TensorDataset(images, labels), batch_size=128, shuffle=True)",
            line,
        )
        return None
    whole = _joined(fed)
    loader, loop = whole[0][0].loader, _loop(whole[0][0], listing)
    _equal(whole, findings)
    _samplers(loader, findings)
    if loader.batch_size is None or _own_batches(loader):
        findings.obstacle(
            "The DataLoader has a batch sampler of its own; the grader draws batches of one size: "
            "give batch_size",
            line_of(loader),
        )
        return None
    steps = Counter(taken for _, taken in whole).most_common(1)[0][0]
    found = Length(
        epochs=len(whole),
        steps_per_epoch=steps,
        batches=whole[0][0].length,
        batch_size=int(loader.batch_size),
        images=len(loader.sampler),
        drop_last=bool(loader.drop_last),
    )
    findings.at("epochs", loop)
    findings.at("batch_size", line_of(loader))
    findings.fact(
        "epochs",
        f"{count(found.epochs, 'epoch')} of {count(found.steps_per_epoch, 'step')}",
        loop,
    )
    dropped = ", the last short one dropped" if found.drop_last else ""
    findings.fact(
        "batches", f"{count(found.batch_size, 'image')} a batch{dropped}", line_of(loader)
    )
    return found


def _joined(walks: Sequence[tuple[Walk, int]]) -> list[tuple[Walk, int]]:
    """Each walk once, also where optimizers took turns on it."""
    found: dict[int, list[Any]] = {}
    for walk, steps in walks:
        found.setdefault(id(walk), [walk, 0])[1] += steps
    return [(walk, steps) for walk, steps in found.values()]


def _loop(walk: Walk, listing: Listing) -> int | None:
    """The line of the loop over epochs, where there is one around that over batches."""
    loops = _loops(listing)
    for line in walk.stack:
        around = [first for first, last in loops if first < line <= last and first != walk.line]
        if around:
            return max(around)
    return walk.line or None


def _loops(listing: Listing) -> list[tuple[int, int]]:
    """First and last lines of all loops."""
    found = []
    for part in listing.parts:
        try:
            tree = ast.parse(part.text)
        except (SyntaxError, ValueError):
            continue  # a cell with magics
        for node in ast.walk(tree):
            if isinstance(node, ast.For | ast.While):
                before = part.first - 1
                found.append((before + node.lineno, before + (node.end_lineno or node.lineno)))
    return found


def _own_batches(loader: Any) -> bool:
    return type(loader.batch_sampler) is not data.BatchSampler


def _equal(walks: Sequence[tuple[Walk, int]], findings: Findings) -> None:
    """Every walk must go to its end, and be like the first."""
    cut = [walk for walk, _ in walks if not walk.complete]
    if cut == [walks[-1][0]] and len(walks) > 1:
        whole = sum(walk.length for walk, _ in walks)
        before = whole - cut[0].length
        findings.obstacle(
            f"The last of {len(walks)} epochs ends after {cut[0].batches:,} of {cut[0].length:,} "
            "batches; the grader trains whole epochs: count these instead of steps, or take "
            f"{whole:,} steps for {len(walks)} epochs, {before:,} for {len(walks) - 1}",
            cut[0].line,
        )
    elif cut:
        one = cut[0]
        findings.obstacle(
            f"{len(cut)} of {count(len(walks), 'epoch')} end before all batches are used "
            f"({one.batches:,} of {one.length:,}); the grader's epochs go through all of them: "
            "leave the loop over batches only at its end",
            one.line,
        )
    steps = sorted({taken for _, taken in walks})
    if len(steps) > 1 and not cut:
        findings.obstacle(
            f"Epochs have different numbers of steps ({', '.join(map(str, steps[:4]))}); the "
            "grader's are all equal",
            walks[0][0].line,
        )
    first = walks[0][0].loader
    for walk, _ in walks[1:]:
        loader = walk.loader
        if (loader.batch_size, loader.drop_last) != (first.batch_size, first.drop_last):
            findings.obstacle(
                f"The batch size changes while it trains ({first.batch_size}, then "
                f"{loader.batch_size}); the grader's stays",
                line_of(loader),
            )
            break
        if len(loader.sampler) != len(first.sampler):
            findings.obstacle(
                f"Epochs have different numbers of images ({len(first.sampler):,}, then "
                f"{len(loader.sampler):,}); the grader trains on the same ones in all",
                line_of(loader),
            )
            break


def check_steps(length: Length, line: int | None, findings: Findings) -> None:
    """One step a batch: where several batches make a step, their gradients add up."""
    steps, batches = length.steps_per_epoch, length.batches
    if steps < batches:
        findings.obstacle(
            f"{batches:,} batches are taken in an epoch, but only {count(steps, 'step')}: the "
            "gradients of several batches add up to one step, or some are left out. The grader "
            "steps after every batch: use larger batches instead of accumulating",
            line,
        )
    elif steps > batches:
        findings.obstacle(
            f"{count(steps, 'step')} are taken on {batches:,} batches; the grader takes one step a "
            "batch",
            line,
        )


def _samplers(loader: Any, findings: Findings) -> None:
    sampler, line = loader.sampler, line_of(loader)
    if isinstance(sampler, data.RandomSampler) and (
        sampler.replacement or len(sampler) > len(loader.dataset)
    ):
        findings.note(
            "The loader draws images with replacement; the grader goes through all of them once "
            "an epoch",
            line,
        )
    elif isinstance(sampler, data.SequentialSampler):
        findings.note(
            "The loader does not shuffle (shuffle=True is missing); the grader shuffles in every "
            "epoch",
            line,
        )
    elif not isinstance(sampler, _SHUFFLES):
        findings.note(
            f"The loader draws images with the sampler {type(sampler).__name__}; the grader "
            "shuffles them in every epoch",
            line,
        )
