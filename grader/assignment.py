"""What an assignment asks for, read from its `assignment.toml`.

In: a folder that an instructor wrote (trusted, but people mistype). Out: a frozen `Assignment`, or
an AssignmentError that names the file, the key, what was found there and what would be accepted. No
torch here.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from inspect import isclass
from math import isfinite
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from grader.checks import own
from grader.checks.names import check_names
from grader.errors import AssignmentError, GraderError, in_words
from grader.judging.protocols import PROTOCOLS
from grader.training.choices import OPTIMIZERS, SCHEDULERS, TRANSFORMS
from grader.training.datasets import DATASETS

FILE = "assignment.toml"


def _among(known: Callable[[], Iterable[str]], *, more: str = "") -> AfterValidator:
    """A name that is one of those that are known when it is read.

    Or of those that the validation's context has under the name `more`.
    """

    def checked(name: str, info: ValidationInfo) -> str:
        names = [*known(), *(info.context or {}).get(more, ())]
        if name not in names:
            raise PydanticCustomError("unknown", "", {"known": names})
        return name

    return AfterValidator(checked)


CheckName = Annotated[str, _among(check_names, more="own_checks")]
"""A check that exists: one that comes with the grader, or one of the assignment's own."""


DatasetName = Annotated[str, _among(DATASETS.keys)]
"""A data set that exists."""

Protocol = Annotated[str, _among(PROTOCOLS.keys)]
"""Which accuracy of a run is its score: one of `grader.judging.protocols.PROTOCOLS`."""

MetricImages = Literal["validation", "test"]
"""Which images a recipe's own metric is measured on.

Training images that are held back for it, or the test images.
"""

HELD_BACK = 12
"""One training image in this many is a validation image: 5,000 of MNIST's 60,000."""

OptimizerName = Annotated[str, _among(OPTIMIZERS.keys)]
SchedulerName = Annotated[str, _among(SCHEDULERS.keys)]
TransformName = Annotated[str, _among(TRANSFORMS.keys)]


def _setting(value: object) -> object:
    items = value if isinstance(value, list) else [value]
    if isinstance(value, str) or all(
        isinstance(item, int | float) and isfinite(item) for item in items
    ):
        return tuple(value) if isinstance(value, list) else value
    raise ValueError("a setting is a number, true, false, a string or a list of numbers")


Setting = Annotated[bool | int | float | str | tuple[int | float, ...], BeforeValidator(_setting)]


class Table(BaseModel):
    """One table of the file. Frozen; unknown keys, NaN and infinities are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Bound(Table):
    """A limit written as the brief writes it: "< 20,000" or "<= 8,000"."""

    number: int = Field(ge=1)
    inclusive: bool

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        text = value if isinstance(value, str) else ""
        match = re.fullmatch(r"(<=?) *([0-9]+(?:[_,][0-9]{3})*)", text)
        if match is None:
            raise ValueError('write it as "< 20,000" (fewer than) or "<= 8,000" (at most)')
        return {"number": int(re.sub("[_,]", "", match[2])), "inclusive": match[1] == "<="}

    @property
    def relation(self) -> str:
        """As the brief writes it: "<" or "<="."""
        return "<=" if self.inclusive else "<"

    def allows(self, count: int) -> bool:
        """Whether that many are within the limit."""
        return count <= self.number if self.inclusive else count < self.number

    def excess(self, count: int) -> int:
        """By how many it is beyond the limit; 0 within it."""
        return max(0, count - self.number + (0 if self.inclusive else 1))

    def __str__(self) -> str:
        return f"{self.relation} {self.number:,}"


def _fraction(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError("write it as a fraction between 0 and 1: 0.994 is 99.4 %")
    return value


class Limits(Table):
    """What a submission is measured against, and how much of it the grader is willing to run.

    `parameters` bounds those that count (see `grader.analysis.parameters`); `receptive_field` is
    the least number of pixels across, at the last feature map; `accuracy` (0 to 1) the least on the
    test images; `seconds` the time budget of one training run.

    The others protect the grader: what is beyond them is refused before it runs. `nodes` operators
    in a graph, `weights` numbers in all tensors of the model, `multiply_adds` per image, `steps` of
    the optimizer in one run.
    """

    parameters: Bound
    epochs: int = Field(ge=1, le=1_000)
    receptive_field: int = Field(ge=1)
    accuracy: Annotated[float, AfterValidator(_fraction)]
    seconds: float = Field(gt=0)
    nodes: int = Field(default=5_000, ge=1)
    weights: int = Field(default=50_000_000, ge=1)
    multiply_adds: int = Field(default=1_000_000_000, ge=1)
    steps: int = Field(default=300_000, ge=1)


class Check(Table):
    """How a check counts: whether a submission must pass it, and the points that it earns."""

    required: bool
    points: float = Field(ge=0)


_OFTEN_SAID = {"learning_rate": "lr", "eta": "lr", "beta": "betas", "l2": "weight_decay"}
"""Other people's names for a setting of torch.optim."""


class OptimizerChoice(Table):
    """A class of torch.optim, and its arguments but the parameters."""

    name: OptimizerName
    settings: dict[str, Setting] = {}

    @model_validator(mode="after")
    def _known_settings(self) -> Self:
        known = ["lr", *sorted(OPTIMIZERS[self.name])]
        for setting in self.settings:
            if setting not in known:
                meant = did_you_mean(_OFTEN_SAID.get(setting, setting), known)
                listed = ", ".join(known)
                raise ValueError(
                    f"{setting!r} is not a setting of {self.name}; known: {listed}.{meant}"
                )
        return self


class SchedulerChoice(Table):
    """A class of torch.optim.lr_scheduler, its arguments, and how often it steps.

    OneCycleLR's `total_steps` and CosineAnnealingLR's `T_max`, where they are not given, are the
    number of times that it steps in the whole training.
    """

    name: SchedulerName
    settings: dict[str, Setting] = {}
    interval: Literal["step", "epoch"] = "epoch"


_MAKE_TENSORS = ("ToTensor", "PILToTensor", "ToImage")


class TransformChoice(Table):
    """A class of torchvision.transforms, and its arguments.

    A Normalize without arguments gets the data set's own mean and deviation.
    """

    name: TransformName
    settings: dict[str, Setting] = {}


class DefaultRecipe(Table):
    """How a network is trained where the student's file does not say.

    `criterion` "auto" is negative log-likelihood for a network that ends in log_softmax, else cross
    entropy.
    """

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    optimizer: OptimizerChoice
    scheduler: SchedulerChoice | None = None
    train_transform: tuple[TransformChoice, ...] = ()
    criterion: Literal["auto", "cross_entropy", "nll"] = "auto"


class StepLimits(Table):
    """The limits of a step that are other than the assignment's: see `Limits`."""

    parameters: Bound | None = None
    epochs: int | None = Field(default=None, ge=1, le=1_000)
    receptive_field: int | None = Field(default=None, ge=1)
    accuracy: Annotated[float, AfterValidator(_fraction)] | None = None
    seconds: float | None = Field(default=None, gt=0)


class Step(Table):
    """One of several networks that a work consists of; see docs/steps.md.

    `name` is what its file begins with (`step_1.py`, `Step_1_Foundation.ipynb`), `network` the
    class in a work of one file. What it does not say is the assignment's: limits, checks, protocol.
    A check that only the step has stands before those of the assignment.
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,39}$")
    title: str = Field(min_length=1, max_length=60)
    network: str | None = Field(default=None, pattern="^[A-Za-z_][A-Za-z0-9_]{0,79}$")
    protocol: Protocol | None = None
    limits: StepLimits = StepLimits()
    checks: dict[CheckName, Check] = {}


class Assignment(Table):
    """One assignment. `checks` keeps the file's order, which is the scorecard's.

    `dataset` decides the images; `input_shape` is (channels, rows, columns) of one of them.
    `borderline_earns_points`: an accuracy that is too close to the limit to call earns its points.
    `most_seeds`: the most training runs, each under another seed, that a grading takes to be sure.

    `metric_images`: what a recipe that follows a metric (a plateau rule, a stop at an accuracy) is
    told about after each epoch. "validation": training images that the grader holds back, so that
    such a recipe trains on fewer. "test": the test images, which then have a part in training; the
    report says so.

    `training`: the file of a folder that trains, where the brief names it: "train.py".

    `steps`: the networks that a work consists of, in order, each an assignment of its own: see
    `of_step`. Empty for an assignment of one network.
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,39}$")
    title: str = Field(min_length=1, max_length=100)
    dataset: DatasetName
    input_shape: tuple[int, int, int]
    classes: int = Field(ge=2)
    protocol: Protocol
    borderline_earns_points: bool = True
    most_seeds: int = Field(default=5, ge=1, le=100)
    metric_images: MetricImages = "validation"
    training: str | None = Field(default=None, min_length=1, max_length=200)
    limits: Limits
    checks: dict[CheckName, Check] = Field(min_length=1)
    recipe: DefaultRecipe
    steps: tuple[Step, ...] = Field(default=(), max_length=9)
    _own_checks: own.OwnChecks = PrivateAttr(own.NONE)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._agree()
        names = [step.name for step in self.steps]
        if len(names) == 1:
            raise ValueError("steps has one step: write at least two, or none")
        for place, name in enumerate(names):
            clash = next((one for one in names[:place] if f"{name}_".startswith(f"{one}_")), None)
            if clash or any(f"{one}_".startswith(f"{name}_") for one in names[:place]):
                raise ValueError(
                    f"steps.{place}.name is {name!r}, too much like another step's: a file could "
                    "be of either"
                )
            try:
                self.of_step(name)._agree()
            except ValueError as error:
                raise ValueError(f"steps.{place}: {error}") from error
        return self

    def _agree(self) -> None:
        """Raises ValueError where what is asked contradicts itself or the images."""
        images, recipe = DATASETS[self.dataset], self.recipe
        if (self.input_shape, self.classes) != (images.input_shape, images.classes):
            raise ValueError(
                f"dataset {self.dataset!r} has input_shape = {list(images.input_shape)} "
                f"and classes = {images.classes}"
            )
        if recipe.epochs > self.limits.epochs:
            raise ValueError(
                f"recipe.epochs is {recipe.epochs}, "
                f"more than limits.epochs = {self.limits.epochs} allows"
            )
        most = max(self.input_shape[1:])
        if self.limits.receptive_field > most:
            raise ValueError(
                f"limits.receptive_field is {self.limits.receptive_field}, but an image of "
                f"{images.title} has only {most} pixels across: write at most {most}"
            )
        if self.limits.weights < self.limits.parameters.number:
            raise ValueError(
                f"limits.weights is {self.limits.weights:,}, fewer than limits.parameters allows "
                f"({self.limits.parameters})"
            )
        steps = recipe.epochs * -(-images.train_images // recipe.batch_size)
        if steps > self.limits.steps:
            raise ValueError(
                f"recipe.epochs = {recipe.epochs} with recipe.batch_size = {recipe.batch_size} are "
                f"{steps:,} steps of training, more than limits.steps = {self.limits.steps:,} allow"
            )
        if recipe.batch_size > images.train_images:
            raise ValueError(
                f"recipe.batch_size is {recipe.batch_size:,}, but {images.title} has only "
                f"{images.train_images:,} training images"
            )

    @model_validator(mode="after")
    def _made_for_the_images(self) -> Self:
        """The default transform makes one tensor of an image, and normalises its channels."""
        names = [choice.name for choice in self.recipe.train_transform]
        tensors = [place for place, name in enumerate(names) if name in _MAKE_TENSORS]
        if names and not tensors:
            raise ValueError(
                "recipe.train_transform makes no tensor of an image: add ToTensor, before Normalize"
            )
        if names.count("ToTensor") > 1:
            raise ValueError("recipe.train_transform has ToTensor twice: once is enough")
        channels = self.input_shape[0]
        for place, choice in enumerate(self.recipe.train_transform):
            if choice.name != "Normalize":
                continue
            key = f"recipe.train_transform.{place}"
            if place < tensors[0]:
                raise ValueError(f"{key} is Normalize, before ToTensor: write it after")
            for setting in ("mean", "std"):
                numbers = choice.settings.get(setting, ())
                count = len(numbers) if isinstance(numbers, tuple) else 1
                if count not in (0, 1, channels):
                    raise ValueError(
                        f"{key}.settings.{setting} has {count} numbers, but an image has "
                        f"{channels} channel{'s' if channels > 1 else ''}: write {channels}, or "
                        "leave the settings out for the data set's own"
                    )
        return self

    @model_validator(mode="after")
    def _normalised(self) -> Self:
        """With the data set's own mean and deviation where the file gives none."""
        transforms = []
        for choice in self.recipe.train_transform:
            if choice.name == "Normalize" and not choice.settings:
                images = DATASETS[self.dataset]
                settings = {"mean": (images.mean,), "std": (images.deviation,)}
                choice = choice.model_copy(update={"settings": settings})
            transforms.append(choice)
        recipe = self.recipe.model_copy(update={"train_transform": tuple(transforms)})
        return self.model_copy(update={"recipe": recipe})

    @property
    def own_checks(self) -> own.OwnChecks:
        """The checks that lie in its folder."""
        return self._own_checks

    @property
    def points(self) -> float:
        """The most that a submission can earn, in all steps together."""
        if self.steps:
            return sum(self.of_step(step.name).points for step in self.steps)
        return sum(check.points for check in self.checks.values())

    def of_step(self, name: str) -> Assignment:
        """The assignment that the step of that name is; itself for "". Raises KeyError."""
        if not name:
            return self
        step = {one.name: one for one in self.steps}[name]
        said = {key: getattr(step.limits, key) for key in StepLimits.model_fields}
        limits = {key: value for key, value in said.items() if value is not None}
        # Before the others, among which training starts: what fails before it saves the training.
        more = {key: one for key, one in step.checks.items() if key not in self.checks}
        alone = {
            "title": f"{self.title}: {step.title}",
            "protocol": step.protocol or self.protocol,
            "limits": self.limits.model_copy(update=limits),
            "checks": {
                **more,
                **{key: step.checks.get(key, own) for key, own in self.checks.items()},
            },
            "steps": (),
        }
        return self.model_copy(update=alone)

    def validation_images(self, train_images: int) -> int:
        """How many of the training images are held back from a recipe that follows a metric."""
        return train_images // HELD_BACK if self.metric_images == "validation" else 0


def load_all(root: Path) -> dict[str, Assignment]:
    """Every assignment of the project folder `root` by name, in alphabetical order.

    Raises GraderError.
    """
    known, broken = load_each(root)
    for error in broken.values():
        raise error
    return known


def load_each(root: Path) -> tuple[dict[str, Assignment], dict[str, AssignmentError]]:
    """The assignments of the project folder by name, and why the others cannot be read.

    Raises GraderError where there is none.
    """
    files = sorted((root / "assignments").glob(f"*/{FILE}"))
    if not files:
        raise GraderError(
            f"{root / 'assignments'} holds no assignment: each is a folder with an {FILE} in it."
        )
    known: dict[str, Assignment] = {}
    broken: dict[str, AssignmentError] = {}
    for file in files:
        try:
            known[file.parent.name] = load(file.parent)
        except AssignmentError as error:
            broken[file.parent.name] = error
    return known, broken


def load(folder: Path) -> Assignment:
    """The assignment in `folder`. Raises AssignmentError, naming every mistake in its file."""
    file = folder / FILE
    own_checks = own.read(folder)
    assignment = parsed(_read(file), own_checks)
    wrong = [str(one) for one in own_checks.mistakes if one.fatal]
    if isinstance(assignment, list):
        lines = [text for _, text in assignment]
        count = "a mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        listed = "\n".join(f"  {line}" for line in lines)
        wrong.append(f"{file} has {count}:\n{listed}")
    if wrong or isinstance(assignment, list):
        raise AssignmentError("\n".join(wrong))
    if assignment.name != folder.name:
        raise AssignmentError(
            f"{file}: name = {assignment.name!r}, but its folder is {folder.name!r}: "
            "they must be equal."
        )
    return assignment


def parsed(table: dict[str, Any], own_checks: own.OwnChecks) -> Assignment | list[Mistake]:
    """The assignment that a table of TOML describes, with its own checks.

    Or every mistake in the table: where it is, as keys and places in lists, and what to say.
    """
    try:
        # By way of JSON, where pydantic's strict mode takes a list for a tuple, but no "5" for a 5.
        assignment = Assignment.model_validate_json(
            json.dumps(table, default=str), strict=True, context={"own_checks": own_checks.names}
        )
    except ValidationError as error:
        details = error.errors(include_url=False)
        return [(_place(detail), _explain(detail)) for detail in details]
    assignment._own_checks = own_checks
    return assignment


Mistake = tuple[tuple[int | str, ...], str]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """` Did you mean "best"?` where one of the choices is much like the word, else nothing."""
    folded = {choice.lower(): choice for choice in choices}
    close = get_close_matches(word.lower(), folded, n=1)
    return f' Did you mean "{folded[close[0]]}"?' if close else ""


def sentence(text: str) -> str:
    """With a full stop at its end, but for a question."""
    return text if text.endswith("?") else f"{text.rstrip('.')}."


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise AssignmentError(f"{file} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise AssignmentError(f"{file} is not valid TOML: {error}.") from error


def _explain(error: ErrorDetails) -> str:
    """One mistake in a line: the key, what was found there, what would be accepted."""
    path = _place(error)
    key = ".".join(str(part) for part in path)
    if error["type"] == "missing":
        if path[0] == "input_shape":
            return "input_shape needs three numbers: channels, rows, columns, as in [1, 28, 28]."
        return f"{key} is missing."
    if error["type"] == "extra_forbidden":
        return _explain_unknown(key, str(path[-1]), _keys_at(path[:-1]))
    details = error.get("ctx", {})
    choices = details.get("known") or re.findall(r"'([^']*)'", details.get("expected", ""))
    if path != error["loc"] and choices:
        return _explain_unknown(key, str(path[-1]), choices)
    message = sentence(in_words(error))
    of_a_table = isinstance(error["input"], dict) and "settings" not in path
    if error["type"] == "value_error" and of_a_table and path:
        return f"{key}: {message}"  # which names what is wrong inside
    if choices:
        message = (
            f"known choices: {', '.join(choices)}.{did_you_mean(str(error['input']), choices)}"
        )
    return f"{key} = {json.dumps(error['input'], default=str)}; {message}" if path else message


def _place(error: ErrorDetails) -> tuple[int | str, ...]:
    return tuple(part for part in error["loc"] if part != "[key]")


def _explain_unknown(key: str, word: str, known: Sequence[str]) -> str:
    return f"{key} is not a known key; known: {', '.join(known)}.{did_you_mean(word, known)}"


def _keys_at(path: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at that place of the file may have."""
    kind: Any = Assignment
    for part in path:
        kind = _inside(kind, part)
    return list(kind.model_fields)


def _inside(kind: Any, part: int | str) -> Any:
    """The type of what a table (or an array or dictionary of tables) holds under that key."""
    if isclass(kind) and issubclass(kind, Table):
        kind = kind.model_fields[str(part)].annotation
    else:
        kind = get_args(kind)[0 if isinstance(part, int) else -1]
    return get_args(kind)[0] if NoneType in get_args(kind) else kind
