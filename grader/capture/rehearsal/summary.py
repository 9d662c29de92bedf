"""From what a rehearsal saw to recipes in the grader's terms, or to why there is none.

In: a Trace. Out: a Rehearsal: for each training its recipe or its obstacles, facts for people
either way, and notes on small differences. Runs in the child.

All or nothing: a training whose loss, say, the grader has not, has no recipe at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from grader.capture.graph import plain_name
from grader.capture.rehearsal import (
    aims,
    augmentations,
    evaluations,
    images,
    lengths,
    schedules,
    searches,
    settings,
    trained,
    trainings,
)
from grader.capture.rehearsal.aims import Aim
from grader.capture.rehearsal.findings import Findings, count
from grader.capture.rehearsal.lengths import Length
from grader.capture.rehearsal.settings import Settings
from grader.capture.rehearsal.trace import Said, Trace
from grader.capture.rehearsal.trainings import Group
from grader.errors import SubmissionError, in_words
from grader.program.recipe import MOST_STEPS, Augmentation, Recipe, Remark
from grader.program.rehearsed import Rehearsal, RehearsalRequest, SchedulerUse, Training
from grader.training.datasets import DATASETS

MOST_TRAININGS = 200


def summarise(trace: Trace, request: RehearsalRequest) -> Rehearsal:
    """Everything that the grader and the student want to know of a rehearsal."""
    groups = trainings.groups(trace)
    # The last one counts: where there are more than are kept, the first ones go.
    found = [_training(trace, request, group) for group in groups[-MOST_TRAININGS:]]
    return Rehearsal(
        trainings=tuple(found),
        notes=(*_remarks(trace.notes), *_seeds(trace))[:100],
        guesses=_remarks(trace.guesses)[:100],
        optimizers_without_steps=sum(not record.steps for record in trace.trainings),
    )


def _remarks(said: Said) -> tuple[Remark, ...]:
    return tuple(Remark(text=text[:2_000], line=line or None) for text, line in said.items())


def _seeds(trace: Trace) -> list[Remark]:
    if not trace.seeds:
        return []
    seed, line = trace.seeds[0]
    text = (
        f"The seed {seed} is not used: the grader draws initial weights and batches under its own"
    )
    return [Remark(text=text, line=line or None)]


def _training(trace: Trace, request: RehearsalRequest, group: Group) -> Training:
    findings = Findings()
    for record in group.records:
        for text, line in record.obstacles.items():
            findings.obstacle(text, line)
        for text, line in record.notes.items():
            findings.note(text, line)
    if error := group.records[-1].interrupted:
        findings.obstacle(
            f"The training ends with an error, so its epochs are not all there: {error[:300]}",
            group.records[-1].interrupted_at or group.line,
        )
    network = _network(trace, group, findings)
    length = lengths.read(group.walks, request.listing, group.line, findings)
    told = settings.read(group.records, group.network, findings,
                         epochs=length.epochs if length else 0)  # fmt: skip
    aim = aims.read(group.records, _names(group), findings)
    transform, used = _images(request, group, findings)
    evaluations.remark(trace, group, request, findings)
    if length is not None and not findings.obstacles:
        lengths.check_steps(length, findings.lines.get("epochs"), findings)
    _search(group, findings)
    recipe = None
    if length is not None and not findings.obstacles:
        recipe = _recipe(findings, length, told, aim, transform, used, request)
    return Training(
        network=network,
        recipe=recipe,
        scheduler=_scheduler(group, recipe),
        epochs=length.epochs if length else None,
        steps=group.steps,
        line=group.line,
        facts=tuple(findings.facts),
        obstacles=tuple(findings.obstacles),
        notes=tuple(findings.notes),
    )


def _search(group: Group, findings: Findings) -> None:
    """Say that it begins with a search for the learning rate, which explains all that is odd."""
    searched = searches.steps(group.records)
    if not searched:
        return
    text = f"a search for the learning rate in {count(searched, 'step')}"
    findings.fact("search", text, group.line)
    if searched < group.steps:
        findings.obstacles.clear()
        findings.obstacle(
            f"The training begins with {text}, whose rates rise by one factor, on the same "
            f"network: {searches.CARRIED}",
            group.line,
        )


def _scheduler(group: Group, recipe: Recipe | None) -> SchedulerUse | None:
    if recipe is None:
        return None
    rates = [one.get("initial_lr", one["lr"]) for one in group.records[0].groups]
    schedulers = [item for record in group.records for item in record.schedulers]
    return schedules.use(
        schedulers, [float(rate) for rate in rates], epochs=recipe.epochs, steps=recipe.steps
    )


def _network(trace: Trace, group: Group, findings: Findings) -> Any:
    if group.network is None:
        findings.obstacle(
            "The optimizer steps, but no network was called for it: call the network on the images",
            group.line,
        )
        return None
    described = trained.describe(group.network, trace)
    size = sum(item.numel() for item in group.network.parameters())
    findings.fact("network", f"{described.name}, {count(size, 'parameter')}", described.line)
    return described


def _names(group: Group) -> Mapping[int, str]:
    if group.network is None:
        return {}
    return {id(item): plain_name(name) for name, item in group.network.named_parameters()}


def _images(
    request: RehearsalRequest, group: Group, findings: Findings
) -> tuple[tuple[Augmentation, ...], int | None]:
    """The transform of training images, and how many of them there are (None: all)."""
    walks = [walk for walk, _ in group.walks if walk is not None]
    if not walks:
        return (), None
    first = walks[0]
    line = lengths.line_of(first.loader) or first.line
    given = images.read(first.loader.dataset, request.dataset, transform=first.transform)
    _data(given, request, findings, line)
    if first.collate:
        findings.obstacle(
            f"The loader's collate_fn {first.collate}; the grader stacks what the transform gives",
            line,
        )
    if any(walk.transform is not first.transform for walk in walks):
        _another_transform(walks, given, request, findings)
    used = len(first.loader.sampler) if first.loader.batch_size else given.size
    described: tuple[Augmentation, ...] = ()
    if given.operations is not None:
        where = augmentations.line_of(first.transform) or given.line or line
        findings.fact("transform", augmentations.in_words(given.operations), where)
        findings.at("train_transform", where)
        try:
            described = augmentations.described(given.operations)
        except SubmissionError as error:
            findings.obstacle(error.message.rstrip("."), error.line or where)
    kept = used if used < request.train_images else None
    what = f"{used:,} of {request.train_images:,} training images" if kept else "all"
    findings.fact("images", what, line)
    if given.operations is not None and images.chosen_by_label(first.loader, request.classes):
        findings.obstacle(
            "Images of some classes are left out of the training; the grader trains on images of "
            "all of them",
            line,
        )
    if used > request.train_images:
        findings.obstacle(
            f"An epoch has {used:,} images and the data set {request.train_images:,}; the grader "
            "shows each once an epoch",
            line,
        )
    return described, kept


def _data(
    given: images.Images, request: RehearsalRequest, findings: Findings, line: int | None
) -> None:
    wrappers = [name for name in given.wrappers if name != "Subset"]
    within = f", within {', '.join(wrappers)}" if wrappers else ""
    findings.fact("data", f"{given.name}{within}", line)
    if given.problem:
        findings.obstacle(given.problem.rstrip("."), given.line or line)
    if given.training is False:
        title = DATASETS[request.dataset].title
        findings.obstacle(
            f"It trains on the test images (train=False), which the grader keeps for the end: "
            f"train on the training images of {title}",
            line,
        )


def _another_transform(
    walks: list[Any], given: images.Images, request: RehearsalRequest, findings: Findings
) -> None:
    """Another object may still be the same transform, made anew in each epoch."""
    for walk in walks:
        if walk.transform is walks[0].transform:
            continue
        other = images.read(walk.loader.dataset, request.dataset, transform=walk.transform)
        known = (other.operations, given.operations)
        if None in known or augmentations.in_words(known[0] or []) != augmentations.in_words(
            known[1] or []
        ):
            findings.obstacle(
                "The transform changes while it trains; the grader uses one from start to end",
                walk.line,
            )
            return


def _recipe(
    findings: Findings,
    length: Length,
    told: Settings,
    aim: Aim,
    transform: tuple[Augmentation, ...],
    used: int | None,
    request: RehearsalRequest,
) -> Recipe | None:
    steps = length.epochs * length.steps_per_epoch
    if steps > min(request.most_steps, MOST_STEPS):
        findings.obstacle(
            f"{count(length.epochs, 'epoch')} with batches of {length.batch_size} are {steps:,} "
            f"steps of training; the grader runs at most {request.most_steps:,}. Train for fewer "
            "epochs or with larger batches",
            findings.lines.get("epochs"),
        )
        return None
    try:
        return Recipe(
            epochs=length.epochs,
            batch_size=length.batch_size,
            steps_per_epoch=length.steps_per_epoch,
            optimizer=told.optimizer,
            schedule=told.schedule,
            plateau=told.plateau,
            loss=aim.loss,
            augmentations=transform,
            images=used,
            drop_last=length.drop_last,
            penalties=aim.penalties,
            clip_norm=aim.clip_norm,
            clip_value=aim.clip_value,
            origin="rehearsed",
            lines=findings.lines,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        findings.obstacle(f"The recipe is not one that the grader accepts: {where}: "
                          f"{in_words(first)}")  # fmt: skip
        return None
