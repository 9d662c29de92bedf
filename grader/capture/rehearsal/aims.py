"""What every step was: loss, terms on weights, clipping, and what the network was shown.

In: the kinds of steps of a training. Out: a `Loss`, `Penalty`s, clipping, and findings. Runs in the
child.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from grader.capture.rehearsal.findings import Findings, count, short
from grader.capture.rehearsal.trace import (
    MOST_KINDS,
    Clip,
    LossCall,
    Objective,
    StepKind,
    TrainingRecord,
)
from grader.program.recipe import Loss, Penalty

_NAMES = {"cross_entropy": "cross_entropy", "nll_loss": "nll"}
_OPTIONS = {"label_smoothing", "weight", "reduction"}
_WORDS = {
    "objectives": "the loss",
    "clips": "clipping",
    "images": "what happens to the images",
    "zeroed": "zero_grad()",
    "wiped": "zero_grad() before step()",
    "gradients": "what happens to gradients",
}


@dataclass(frozen=True, slots=True)
class Aim:
    """What a step minimises, and how its gradients are clipped."""

    loss: Loss | None
    penalties: tuple[Penalty, ...] = ()
    clip_norm: float | None = None
    clip_value: float | None = None


def read(records: Sequence[TrainingRecord], names: Mapping[int, str], findings: Findings) -> Aim:
    """What the steps of a training aim at. `names` are those of weights, by their ids.

    Steps that no loader fed are refused for that (`lengths.read`): here nothing is said of images
    and labels that it might have given.
    """
    kinds: Counter[StepKind] = Counter()
    lines: dict[StepKind, int | None] = {}
    for record in records:
        kinds.update(record.kinds)
        lines = record.lines | lines
    if not kinds:
        return Aim(None)
    usual = kinds.most_common(1)[0][0]
    line = lines.get(usual)
    fed = all(walk is not None for record in records for walk, _ in record.walks)
    _handling(usual, line, findings, fed=fed)
    if len(usual.objectives) > 1:
        _accumulation(usual, line, findings)
        return Aim(None)
    _one_kind(kinds, usual, lines, findings)
    if not usual.objectives:
        findings.obstacle("The optimizer steps without backward(): there is no gradient", line)
        return Aim(None)
    objective = usual.objectives[0]
    loss = _loss(objective, findings, fed=fed)
    penalties = _penalties(objective, names, findings)
    clips = _clips(usual.clips, len(names), findings)
    return Aim(loss, penalties, clips.get("norm"), clips.get("value"))


def _one_kind(
    kinds: Counter[StepKind],
    usual: StepKind,
    lines: Mapping[StepKind, int | None],
    findings: Findings,
) -> None:
    others = {kind: often for kind, often in kinds.items() if kind != usual}
    if not others:
        return
    number = f"{sum(others.values()):,} of {count(sum(kinds.values()), 'step')}"
    if len(kinds) >= MOST_KINDS:  # more kinds than these were not counted
        number = "Most steps"
    differ = [words for name, words in _WORDS.items() if _differs(name, usual, others)]
    first = next(iter(others))
    findings.obstacle(
        f"{number} differ from the others in {', '.join(differ)}; the grader does the same in "
        "every step. Let each step do the same, or say with configure_optimizers how to train "
        "instead",
        lines.get(first) or lines.get(usual),
    )


def _differs(name: str, usual: StepKind, others: Iterable[StepKind]) -> bool:
    return any(getattr(kind, name) != getattr(usual, name) for kind in others)


def _handling(kind: StepKind, line: int | None, findings: Findings, *, fed: bool) -> None:
    if kind.images != "untouched" and fed:
        findings.obstacle(
            f"The images are {kind.images}; the grader shows the network what the transform makes "
            "of them: put it into the transform",
            kind.shown_at or line,
        )
    if kind.wiped:
        findings.obstacle(
            "zero_grad() comes between backward() and step(), so no step has a gradient and the "
            "network learns nothing: call it before backward()",
            line,
        )
    elif not kind.zeroed:
        findings.obstacle(
            "Gradients are not set to zero between steps, so they add up: call "
            "optimizer.zero_grad() before backward()",
            line,
        )
    if kind.gradients:
        findings.obstacle(
            f"Gradients are {kind.gradients}; the grader can clip them by norm or by value, and "
            "nothing else",
            line,
        )


def _accumulation(kind: StepKind, line: int | None, findings: Findings) -> None:
    calls = len(kind.objectives)
    if len(set(kind.objectives)) > 1:
        text = f"backward() is called {calls} times a step on different losses"
        findings.obstacle(f"{text}; the grader trains with one loss", line)
        return
    findings.obstacle(
        f"backward() is called {calls} times before each step, so the gradients of {calls} batches "
        f"add up. The grader steps after every batch: use batches {calls} times as large instead "
        "of accumulating",
        line,
    )


def _loss(objective: Objective, findings: Findings, *, fed: bool) -> Loss | None:
    line = objective.line
    if objective.problem:
        findings.obstacle(
            f"backward() is called on {objective.problem}; the grader trains with cross entropy or "
            "negative log-likelihood, and L1 or L2 terms on weights",
            line,
        )
        return None
    if len(objective.losses) != 1:
        names = [call.name for call, _ in objective.losses]
        what = f"a sum of {' and '.join(names)}" if names else "no loss of the network's output"
        findings.obstacle(f"backward() is called on {what}; the grader trains with one loss", line)
        return None
    call, factor = objective.losses[0]
    line = call.line or line
    findings.at("criterion", line)
    if factor != 1:
        findings.obstacle(
            f"The loss is multiplied by {short(factor)} before backward(); the grader takes it as "
            "it is: leave the factor out, and change the learning rate instead",
            objective.line,
        )
    return _representable(call, line, findings, fed=fed)


def _representable(
    call: LossCall, line: int | None, findings: Findings, *, fed: bool
) -> Loss | None:
    """The loss as data. Of log_softmax, cross entropy and nll are the same number."""
    options = dict(call.options)
    name, through = _NAMES.get(call.name), call.through
    findings.fact("loss", _in_words(call), line)
    if name is None:
        findings.obstacle(
            f"The loss is {call.name}; the grader trains with cross entropy or negative "
            "log-likelihood (nn.CrossEntropyLoss, nn.NLLLoss)",
            line,
        )
        return None
    if call.name == "nll_loss" and through == ("LogSoftmax",):
        name, through = "cross_entropy", ()
    if call.name == "cross_entropy" and through == ("LogSoftmax",):
        through = ()
        findings.note(
            "cross_entropy is given the result of log_softmax, which it applies again: that "
            "changes nothing, so leave log_softmax out",
            line,
        )
    known = _is_of_output(call, through, line, findings)
    if fed and not call.true_labels:
        findings.obstacle(
            "The loss is told other labels than those that the loader gave; the grader trains with "
            "the images' own",
            line,
        )
        known = False
    if strange := sorted(set(options) - _OPTIONS):
        said = ", ".join(f"{key}={options[key]}" for key in strange)
        findings.obstacle(f"The loss has {said}, which the grader's has not: leave it out", line)
        known = False
    if options.get("reduction", "mean") not in ("mean", "sum"):
        findings.obstacle(
            f"The loss has reduction={options['reduction']!r}; the grader's takes the mean or the "
            "sum over a batch",
            line,
        )
        known = False
    return Loss.model_validate({"name": name, **options}) if known else None


def _is_of_output(
    call: LossCall, through: tuple[str, ...], line: int | None, findings: Findings
) -> bool:
    if not call.of_network:
        findings.obstacle(
            f"{call.name} is told something else than the output of the network; the grader "
            "compares the output with the labels",
            line,
        )
        return False
    if not through:
        return True
    if "Softmax" in through and call.name == "cross_entropy":
        text = (
            "cross_entropy is given the result of softmax outside of the network. cross_entropy "
            "applies log_softmax itself, so this learns slowly; the grader gives it the network's "
            "output as it is: leave softmax out, or make it part of forward()"
        )
    else:
        text = (
            f"Between the network's output and {call.name} stands {', '.join(through)}; the grader "
            "gives the loss the network's output as it is: make it part of forward()"
        )
    findings.obstacle(text, line)
    return False


def _in_words(call: LossCall) -> str:
    words = {"cross_entropy": "cross entropy", "nll_loss": "negative log-likelihood"}
    said = [words.get(call.name, call.name)]
    if call.name == "nll_loss" and call.through == ("LogSoftmax",):
        said = ["negative log-likelihood of log_softmax, which is cross entropy"]
    for key, value in call.options:
        said.append("class weights" if key == "weight" else f"{key.replace('_', ' ')} {value}")
    return ", ".join(said)


def _penalties(
    objective: Objective, names: Mapping[int, str], findings: Findings
) -> tuple[Penalty, ...]:
    found = []
    for term in objective.penalties:
        known = [names[item] for item in term.parameters if item in names]
        if len(known) < len(term.parameters):
            findings.obstacle(
                f"A term of the loss ({term.kind.upper()}) is on tensors that are not parameters "
                "of the network; the grader can add terms on its parameters",
                objective.line,
            )
        elif term.factor <= 0:
            findings.obstacle(
                f"A term on weights ({term.kind.upper()}) is added to the loss with the factor "
                f"{short(term.factor)}; it must be above 0",
                objective.line,
            )
        else:
            found.append(Penalty(kind=term.kind, factor=term.factor, parameters=tuple(known)))
            findings.fact(
                "penalty",
                f"{short(term.factor)} times {_SUMS[term.kind]} of {count(len(known), 'weight')}",
                objective.line,
            )
    return tuple(found)


_SUMS = {
    "l1": "the absolute values (L1)",
    "l2": "the squares (L2)",
    "norm": "the Euclidean norms",
}


def _clips(clips: Sequence[Clip], weights: int, findings: Findings) -> dict[str, float]:
    found: dict[str, float] = {}
    for clip in clips:
        findings.at(f"clip_{clip.kind}", clip.line)
        if problem := _problem(clip, weights, already=clip.kind in found):
            findings.obstacle(problem, clip.line)
        else:
            found[clip.kind] = clip.value
        how = "to the norm" if clip.kind == "norm" else "to values of at most"
        findings.fact("clipping", f"gradients are clipped {how} {short(clip.value)}", clip.line)
    if list(found) == ["value", "norm"]:
        findings.note("Gradients are clipped by value and then by norm", clips[0].line)
    return found


def _problem(clip: Clip, weights: int, *, already: bool) -> str:
    if already:
        return "Gradients are clipped several times a step; the grader clips once: leave one call"
    if clip.kind == "norm" and clip.norm_type != 2:
        return (
            f"Gradients are clipped by another norm ({short(clip.norm_type)}) than the Euclidean "
            "one, which is the grader's: leave norm_type out"
        )
    if clip.value <= 0:
        return f"Gradients are clipped to {short(clip.value)}: it must be a number above 0"
    if clip.parameters and weights and clip.parameters != weights:
        return (
            f"Gradients of {clip.parameters} of {count(weights, 'weight')} are clipped; the grader "
            "clips those of all together"
        )
    return ""
