"""What a rehearsal saw: walks over loaders, networks, losses, optimizer steps.

The stand-ins write it, `summary` reads it. One Trace per rehearsal. What may repeat a million times
is counted or run-length coded. A line is its number in the listing; None where no line of the
student's was running. Objects are kept as long as their ids are: an id of a dead one comes back.
"""

from __future__ import annotations

import functools
import sys
from collections import Counter
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from grader.program.rehearsed import RehearsalRequest

MOST_NOTES = 60
MOST_KINDS = 20
MOST_WALKS = 20_000
MOST_OPTIMIZERS = 500

Said = dict[str, int | None]
"""Sentences, each with its line."""


@dataclass(eq=False, slots=True)
class Walk:
    """One walk over a loader: `for batch in loader`.

    `length` is `len(loader)`; `complete` once the loader has no more. `training_before` counts the
    walks before it that had steps. `forwards` counts (class name, in training mode?) of networks
    that were shown its batches, `networks` holds their ids. `transform` is the data set's when the
    walk began; `stack` are the student's lines that ran then, innermost first. `collate` says how
    batches differ from what torch collates by itself ("" where they do not).

    `images`, `right`, `losses` are sums over what the network was shown and told: images, those
    that it pretended to know, and mean losses of batches; `weighted` is the sum of each loss times
    its number of images.
    """

    loader: Any
    length: int
    training_before: int
    line: int | None = None
    batches: int = 0
    complete: bool = False
    steps: int = 0
    forwards: Counter[tuple[str, bool]] = field(default_factory=Counter)
    networks: set[int] = field(default_factory=set)
    transform: Any = None
    stack: tuple[int, ...] = ()
    collate: str = ""
    images: int = 0
    right: int = 0
    losses: float = 0.0
    weighted: float = 0.0
    told: int = 0


@dataclass(eq=False, slots=True)
class Batch:
    """A batch that a loader gave: what the network should be shown and the loss be told.

    `counted` are the labels counted from 0, where a data set's own begin with 1.
    """

    walk: Walk
    index: int
    start: int
    images: Any
    labels: Any
    counted: Any
    version: int


@dataclass(slots=True)
class Answered:
    """What a network gave last: `given` is the table `acted`, as the file got it."""

    given: Any
    acted: Any
    version: int


@dataclass(frozen=True, slots=True)
class LossCall:
    """A loss function that was called, and on what.

    `options` are those that are not torch's defaults, sorted (a `weight` as a tuple of numbers).
    `through` names the operators between the network's output and the loss, where `of_network`.
    `true_labels`: it was told the labels that the loader gave. `line` is where it was called.
    """

    name: str
    options: tuple[tuple[str, Any], ...]
    through: tuple[str, ...]
    of_network: bool
    true_labels: bool
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class PenaltyTerm:
    """A term on weights: `factor` times the sum of |w| ("l1"), w² ("l2") or Euclidean norms.

    `parameters` are the ids of the weights; the trace's networks keep them alive.
    """

    kind: str
    factor: float
    parameters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Objective:
    """What `backward()` was called on: exactly the sum of factors times losses, and penalties.

    `problem` is "" or says, as the end of a sentence that begins with "backward() is called on",
    what it is instead; `losses` and `penalties` are then only what was found in it.
    """

    losses: tuple[tuple[LossCall, float], ...] = ()
    penalties: tuple[PenaltyTerm, ...] = ()
    problem: str = ""
    line: int | None = field(default=None, compare=False)

    @property
    def plain(self) -> LossCall | None:
        """The loss, where it is one loss as it is."""
        if self.problem or self.penalties or len(self.losses) != 1:
            return None
        loss, factor = self.losses[0]
        return loss if factor == 1.0 else None


@dataclass(frozen=True, slots=True)
class Clip:
    """Gradients that were clipped before a step: "norm" (of `norm_type`) or "value".

    `parameters` is how many weights were clipped. `scaled`: before the GradScaler's `unscale_`.
    """

    kind: str
    value: float
    norm_type: float = 2.0
    parameters: int = 0
    scaled: bool = False
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class StepKind:
    """What was done for one step. All steps of a training that can be graded are of one kind.

    `objectives` has one entry per call of `backward()`. `images` is "untouched" or says, as the end
    of "the images are ...", what happened to them between loader and network. `zeroed`: gradients
    were set to zero since the last step. `wiped`: after `backward()`, so that the step had none.
    `gradients` is "" or says how they were changed by hand. `shown_at` is where the
    network was shown the images.
    """

    objectives: tuple[Objective, ...]
    clips: tuple[Clip, ...]
    images: str
    zeroed: bool
    wiped: bool = False
    gradients: str = ""
    shown_at: int | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        """Worked out once: every step asks for it."""
        parts = (self.objectives, self.clips, self.images, self.zeroed, self.wiped)
        return hash((*parts, self.gradients))


@dataclass(eq=False, slots=True)
class SchedulerRecord:
    """A scheduler: the object itself, how often it was stepped (beside the step when it is made).

    `metrics` counts what it was told: ("loss", "accuracy", "error" or "", and "training", "test",
    "held back" or "" for of which images). `told` are the first numbers. `with_epoch` counts steps
    that were told an epoch. `settings` are the arguments that it was made with, by name.
    `made` are the rates of all groups after each step of a plateau rule that changed them.
    """

    scheduler: Any
    name: str
    line: int | None
    steps: int = 0
    with_epoch: int = 0
    metrics: Counter[tuple[str, str]] = field(default_factory=Counter)
    told: list[float] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    made: set[tuple[float, ...]] = field(default_factory=set)


Rates = tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]


@dataclass(eq=False, slots=True)
class TrainingRecord:
    """One optimizer's life.

    `curve`: [(rates, momenta, weight decays), steps] in a row, each with an entry per group.
    `walks`: [walk or None, steps] in a row: which loader fed the steps. `kinds` of steps, with the
    line of each one's first step in `lines`. `groups` are those of the first step (a copy, without
    weights that were frozen), `frozen` counts these; `made_with` is the first group's learning
    rate as the file gave it, before any scheduler. `networks` counts the ids of networks that
    were stepped, `shown` is the shape of one image as they got it. `obstacles` are reasons why the
    grader cannot train so, and `notes` small differences, that were seen on the way.
    `restored`: after its last step, the network got the weights back with which it began.
    """

    optimizer: Any
    name: str
    line: int | None
    curve: list[list[Any]] = field(default_factory=list)
    walks: list[list[Any]] = field(default_factory=list)
    kinds: Counter[StepKind] = field(default_factory=Counter)
    lines: dict[StepKind, int | None] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)
    made_with: float | None = None
    frozen: int = 0
    networks: Counter[int] = field(default_factory=Counter)
    shown: tuple[int, ...] = ()
    schedulers: list[SchedulerRecord] = field(default_factory=list)
    obstacles: Said = field(default_factory=dict)
    notes: Said = field(default_factory=dict)
    interrupted: str = ""
    interrupted_at: int | None = None
    restored: bool = False
    steps: int = 0


class Trace:
    """Everything that one rehearsal saw, and what is going on just now.

    Of what is going on: `batch` is the one that a loader gave last, `recent` some before it, `fed`
    the one that a network was shown last;
    `feeding` the walk that the network was last shown a batch of; `network` its id; `losses` and
    `objectives`, `clips`, `images`, `zeroed`, `wiped`, `gradients` make the next step's kind.
    `answered` is what it gave last, where that is a table of scores and nothing else;
    `searched` has the networks that a search for a learning rate trained, and its line.
    `depth` is above 0 while a stand-in runs something real, `building` while a network is built.
    `initialised` is the line of the last
    `model.apply(...)`, `hooked` of the last hook on gradients, `scaled` whether gradients are those
    of a loss that a GradScaler scaled, `learns` whether the network was in training mode.
    """

    def __init__(self, request: RehearsalRequest) -> None:
        self.request = request
        self.filename = request.listing.main
        self.walks: list[Walk] = []
        self.trainings: list[TrainingRecord] = []
        self.notes: Said = {}
        self.guesses: Said = {}
        self.networks: dict[int, Any] = {}
        self.network_lines: dict[int, int | None] = {}
        self.seeds: list[tuple[int, int | None]] = []
        self.saves = 0
        self.backwards = 0
        self.searched: dict[int, int | None] = {}
        self.epochs_trained = 0
        self.trained_on: dict[int, Any] = {}
        self.batch: Batch | None = None
        self.recent: list[Batch] = []
        self.fed: Batch | None = None
        self.feeding: Walk | None = None
        self.answered: Answered | None = None
        self.network: int | None = None
        self.shown: tuple[int, ...] = ()
        self.learns = True
        self.output_node: Any = None
        self.output_nodes: dict[Any, bool] = {}
        self.losses: dict[Any, tuple[LossCall, Any]] = {}
        self.initialised: int | None = None
        self.hooked: int | None = None
        self.depth = 0
        self.building = 0
        self.scaled = False
        self.zeroed = True
        self._last_kind: tuple[Any, StepKind] | None = None
        self.begin_step()

    def begin_step(self) -> None:
        """Forget what the last step was made of."""
        self.losses.clear()
        self.output_nodes.clear()
        self.objectives: list[Objective] = []
        self.clips: list[Clip] = []
        self.images = "untouched"
        self.shown_at: int | None = None
        self.wiped = False
        self.gradients = ""

    def zero(self) -> None:
        """Gradients are set to zero: what was computed before has no effect."""
        self.zeroed = True
        if self.objectives:
            self.wiped = True
            self.objectives = []
        self.clips = []

    def has_trained_on(self, *images: Any) -> bool:
        """Whether any of these (a data set, or a sampler of one) fed steps."""
        return any(id(item) in self.trained_on for item in images)

    def where(self) -> int | None:
        """The student's line that is running, of the innermost frame that is theirs."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self.filename:
                return frame.f_lineno
            frame = frame.f_back
        return None

    def where_made(self, thing: Any) -> int | None:
        """The student's line that makes a thing: the innermost that is not in its own methods."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            is_own = frame.f_code.co_varnames[:1] == ("self",) and frame.f_locals["self"] is thing
            if frame.f_code.co_filename == self.filename and not is_own:
                return frame.f_lineno
            frame = frame.f_back
        return None

    def stack(self) -> tuple[int, ...]:
        """The student's lines that are running, innermost first."""
        found: list[int] = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self.filename:
                found.append(frame.f_lineno)
            frame = frame.f_back
        return tuple(found)

    def note(self, text: str, line: int | None = None) -> None:
        """Say something of the whole file; without `line`, of the line that is running."""
        if len(self.notes) < MOST_NOTES and text not in self.notes:
            self.notes[text] = line or self.where()

    def guess(self, text: str) -> None:
        """Write down a value that was made up, and used by the file."""
        if len(self.guesses) < MOST_NOTES and text not in self.guesses:
            self.guesses[text] = self.where()

    def kind(self) -> StepKind:
        """The kind of the step that is taken now; the same object where it is that of the last."""
        wiped = self.wiped and not self.objectives
        made = (self.objectives, self.clips, self.images, self.zeroed, wiped, self.gradients)
        if self._last_kind is None or self._last_kind[0] != made:
            kind = StepKind(
                tuple(self.objectives),
                tuple(self.clips),
                self.images,
                self.zeroed,
                wiped,
                self.gradients,
                self.shown_at,
            )
            self._last_kind = made, kind
        return self._last_kind[1]
