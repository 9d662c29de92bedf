"""Networks that run once: later batches of the same kind get scores that an actor makes up.

In: the trace. Out: patched nn.Module. The network's real forward runs on a few images for every
(mode, shapes); its answer is cut off from its weights and joined to one leaf, so that a loss has a
graph. What the network is shown is compared with what the loader gave.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from grader.capture.rehearsal import building, data
from grader.capture.rehearsal.acting import Actor, kind_of
from grader.capture.rehearsal.data import FEW
from grader.capture.rehearsal.trace import Answered, Batch, Trace, Walk

MOST_ANSWERS = 500
LEAF = torch.zeros((), requires_grad=True)
"""What all answers are joined to: a loss must have a graph."""


class Networks:
    """Which modules are networks, and what each answers."""

    def __init__(self, trace: Trace, real_call: Callable[..., Any]) -> None:
        self._trace, self._real_call = trace, real_call
        self._actor = Actor(trace.request.role)
        self._is_network: dict[int, tuple[Any, bool]] = {}
        self._answers: dict[Any, tuple[str, Any, Any]] = {}
        self._doing: tuple[Any, tuple[float, float]] | None = None

    def is_network(self, module: nn.Module) -> bool:
        """Whether it has weights and is not a loss."""
        known = self._is_network.get(id(module))
        if known is None:
            is_one = not isinstance(module, nn.modules.loss._Loss) and any(
                True for _ in module.parameters()
            )
            self._is_network[id(module)] = known = (module, is_one)  # keeps it, and so its id
            if is_one:
                self._begin(module)
        return known[1]

    def _begin(self, module: nn.Module) -> None:
        """A network is used for the first time."""
        trace = self._trace
        trace.networks[id(module)] = module
        trace.network_lines[id(module)] = building.line(module) or trace.where()
        building.compare(trace, module)
        building.make_all_generic(module.parameters())
        building.remember(module)

    def call(self, module: nn.Module, *args: Any, **keywords: Any) -> Any:
        """What the student's `model(images)` gives."""
        trace = self._trace
        if trace.depth or not self.is_network(module):
            return self._real_call(module, *args, **keywords)
        shown = _first_tensor(args, keywords)
        trace.answered = None
        if shown is None or shown.dim() == 0:
            with _inside(trace):
                return self._real_call(module, *args, **keywords)
        gradient = torch.is_grad_enabled()
        batch = _batch(trace, shown)
        _look(trace, module, shown, batch, gradient=gradient)
        kind, answer, scores = self._answer(module, shown, args, keywords)
        acted = None
        if kind and batch is not None and batch.labels is not None:
            acted = self._acted(module, kind, scores, batch, gradient=gradient)
            answer, scores = _replaced(answer, scores, acted), acted
        if gradient:
            given = _joined(trace, answer, scores)
        elif isinstance(answer, Tensor):
            given = answer.clone()
        else:
            given = _mapped(answer, lambda part: part.clone())
        if answer is acted:
            trace.answered = Answered(given, acted, given._version)
        return given

    def _answer(self, module: nn.Module, shown: Tensor, args: Any, keywords: Any) -> Any:
        key: Any = (id(module), module.training, shown.shape, shown.dtype)
        if len(args) != 1 or keywords:
            tensors = [item for item in (*args, *keywords.values()) if isinstance(item, Tensor)]
            key = (*key, *[(item.shape, item.dtype) for item in tensors])
        found = self._answers.get(key)
        if found is None:
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            with _inside(self._trace), torch.no_grad():
                found = self._answers[key] = self._asked(module, shown, args, keywords)
        return found

    def _asked(
        self, module: nn.Module, shown: Tensor, args: Any, keywords: Any
    ) -> tuple[str, Any, Any]:
        """What the network really says to a few images, made as long as the batch.

        Gives the scores' kind, all of the answer, and the scores in it.
        """
        size = shown.shape[0]
        if size > FEW:
            few = [_few(item, size) for item in args]
            named = {name: _few(item, size) for name, item in keywords.items()}
            # what fails with few may be right with all: then the error of all is the student's
            with contextlib.suppress(Exception):
                answer = self._real_call(module, *few, **named)
                if (scores := _scores(answer)) is not None and scores.shape[0] == FEW:
                    return _described(_widened(answer, size))
        answer = self._real_call(module, *args, **keywords)
        return _described(_mapped(answer, lambda part: part.detach().clone()))

    def _acted(
        self, module: nn.Module, kind: str, scores: Tensor, batch: Batch, *, gradient: bool
    ) -> Tensor:
        """Scores as good as the role says."""
        trace, walk = self._trace, batch.walk
        size, start = scores.shape[0], batch.start
        if size != batch.labels.shape[0]:
            return scores
        classes = scores.shape[1]
        share, scale = self._how_well(walk, classes, learns=gradient and module.training)
        right = int((start + size) * share) - int(start * share)
        walk.right += right
        walk.images += size
        labels = batch.counted if classes == trace.request.classes else batch.labels
        acted = self._actor.scores(kind, labels, right, classes, scale)
        return acted if acted.shape == scores.shape else acted.reshape(scores.shape)

    def _how_well(self, walk: Walk, classes: int, *, learns: bool) -> tuple[float, float]:
        """The share of right answers in a walk, and how sure they are."""
        trace = self._trace
        key = (walk, classes, learns, trace.epochs_trained)
        if self._doing is None or self._doing[0] != key:
            whose = data.whose(trace, walk.loader, learns=learns)
            trained = walk.training_before
            share = self._actor.share(trained, whose=whose, learns=learns)
            scale = self._actor.scale(trained, classes, whose=whose, learns=learns)
            self._doing = key, (share, scale)
        return self._doing[1]


def _first_tensor(args: tuple[Any, ...], keywords: dict[str, Any]) -> Tensor | None:
    if args and isinstance(args[0], Tensor):
        return args[0]
    return next((item for item in (*args, *keywords.values()) if isinstance(item, Tensor)), None)


@contextlib.contextmanager
def _inside(trace: Trace) -> Any:
    trace.depth += 1
    try:
        yield
    finally:
        trace.depth -= 1


def install(trace: Trace) -> None:
    """Put the networks in place of torch's."""
    kind: Any = nn.Module
    networks = Networks(trace, kind.__call__)

    def call(self: Any, *args: Any, **keywords: Any) -> Any:
        return networks.call(self, *args, **keywords)

    def direct(real: Any) -> Any:
        """`model.forward(images)` is a call of the model."""

        @functools.wraps(real)
        def forward(self: Any, *args: Any, **keywords: Any) -> Any:
            if trace.depth or not networks.is_network(self):
                return real(self, *args, **keywords)
            return networks.call(self, *args, **keywords)

        return forward

    kind.__call__ = call
    vars(torch)["inference_mode"] = _InferenceMode
    building.install(trace, direct)


class _InferenceMode(torch.no_grad):
    """As no_grad: what is made within and kept (batches, answers) is used in training, too."""

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self._mode = mode

    def __enter__(self) -> None:
        super().__enter__()
        if not self._mode:
            torch.set_grad_enabled(self.prev)


def _batch(trace: Trace, shown: Tensor) -> Batch | None:
    """The batch of a loader that the network is shown, if it can be one."""
    batch = trace.batch
    if batch is None:
        return None
    length, address = shown.shape[0], shown.data_ptr()
    fits = batch.images is not None and batch.images.shape[0] == length
    if fits and batch.images.data_ptr() == address:
        return batch
    earlier = [
        item
        for item in reversed(trace.recent)
        if item.images is not None and item.images.shape[0] == length
    ]
    same = (item for item in earlier if item.images.data_ptr() == address)
    found = next(same, None)  # a file that fetches batches ahead
    if found is not None or fits:
        return found or batch
    return earlier[0] if earlier else None


def _look(
    trace: Trace, module: nn.Module, shown: Tensor, batch: Batch | None, *, gradient: bool
) -> None:
    """Write down who is shown what."""
    trace.fed = batch
    if batch is not None:
        walk = batch.walk
        walk.forwards[type(module).__name__, module.training] += 1
        walk.networks.add(id(module))
        if gradient:
            if trace.images == "untouched":
                trace.images = _state(trace, shown, batch)
                if trace.images != "untouched":
                    trace.shown_at = trace.where()
            trace.feeding = walk
    elif gradient:
        trace.feeding = None
        trace.images = "not from a loader"
    if gradient:
        trace.network = id(module)
        trace.learns = module.training
        trace.shown = tuple(shown.shape[1:])
        if shown.requires_grad and shown.is_leaf and shown.grad is None:
            shown.grad = torch.ones_like(shown)


def _state(trace: Trace, shown: Tensor, batch: Batch) -> str:
    """What was done to the images on their way from the loader: "untouched" or what else."""
    images = batch.images
    if images._version != batch.version:
        return "changed in place"
    if shown is images:
        return "untouched"
    if shown.numel() == images.numel():
        alike = shown.is_contiguous() and images.is_contiguous()
        if alike and shown.data_ptr() == images.data_ptr():
            return "untouched"
        if torch.equal(shown.detach().reshape(-1).float(), images.reshape(-1).float()):
            is_plain = images.is_floating_point()
            return "untouched" if is_plain else "changed from whole numbers to fractions"
    return "changed"


def _few(item: Any, size: int) -> Any:
    if isinstance(item, Tensor) and item.dim() and item.shape[0] == size:
        return item[:FEW]
    return item


def _named(answer: Any) -> dict[str, Any] | None:
    """The parts of an answer that has names for them; None where it has none."""
    if isinstance(answer, types.SimpleNamespace):
        return vars(answer)
    is_one = dataclasses.is_dataclass(answer) and hasattr(answer, "__dict__")
    if is_one and not isinstance(answer, type | dict):
        return {field.name: getattr(answer, field.name) for field in dataclasses.fields(answer)}
    return None


def _parts(answer: Any) -> list[Any]:
    if isinstance(answer, dict):
        return list(answer.values())
    if (named := _named(answer)) is not None:
        return list(named.values())
    return list(answer) if isinstance(answer, tuple | list) else [answer]


def _scores(answer: Any) -> Tensor | None:
    """The scores among what a network gives: its first table of numbers."""
    tensors = [item for item in _parts(answer) if isinstance(item, Tensor)]
    tables = [item for item in tensors if kind_of(item)]
    found = tables or tensors
    return found[0] if found else None


def _mapped(answer: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(answer, dict):
        return type(answer)({name: _mapped(item, change) for name, item in answer.items()})
    if (named := _named(answer)) is not None:
        changed = copy.copy(answer)
        vars(changed).update({name: _mapped(item, change) for name, item in named.items()})
        return changed
    if isinstance(answer, tuple) and hasattr(answer, "_fields"):
        return type(answer)(*[_mapped(item, change) for item in answer])
    if isinstance(answer, tuple | list):
        return type(answer)([_mapped(item, change) for item in answer])
    return change(answer) if isinstance(answer, Tensor) else answer


def _widened(answer: Any, size: int) -> Any:
    def wide(part: Tensor) -> Tensor:
        if part.dim() == 0 or part.shape[0] != FEW:
            return part.detach()
        return part[:1].detach().expand(size, *part.shape[1:])

    return _mapped(answer, wide)


def _described(answer: Any) -> tuple[str, Any, Any]:
    scores = _scores(answer)
    return (kind_of(scores) if scores is not None else ""), answer, scores


def _replaced(answer: Any, scores: Tensor, acted: Tensor) -> Any:
    if answer is scores:
        return acted
    return _mapped(answer, lambda part: acted if part is scores else part)


def _joined(trace: Trace, answer: Any, scores: Any) -> Any:
    """The answer with a graph that ends in LEAF."""

    def joined(part: Tensor) -> Tensor:
        if not part.is_floating_point():
            return part
        result = part + LEAF
        trace.output_nodes[result.grad_fn] = True
        if part is scores:
            trace.output_node = result.grad_fn
        return result

    trace.output_node = None
    return _mapped(answer, joined)
