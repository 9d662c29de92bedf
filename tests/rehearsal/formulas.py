"""What torch documents of its schedules, as formulas: independent of how torch steps them.

In: a formula of `epoch`, `step` (of all, both from 0), `steps` (in an epoch) and `total`. Out: its
value for each step.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, floor, log2, pi, sin


def values(formula: str, *, epochs: int, steps: int) -> list[float]:
    """The value of a formula in each step of all epochs."""
    code = compile(formula, "formula", "eval")
    known: dict[str, Callable[..., float]] = {
        "one_cycle": one_cycle,
        "one_cycle_momentum": one_cycle_momentum,
        "cosine": cosine,
        "warm_restart": warm_restart,
        "triangle": triangle,
        "swa": swa,
        "cos": cos,
        "sin": sin,
    }
    found = []
    for step in range(epochs * steps):
        now = {"epoch": step // steps, "step": step, "steps": steps, "total": epochs * steps}
        found.append(float(eval(code, {**known, "pi": pi, **now})))
    return found


def _eased(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + cos(pi * share))


def _cycle(at: float, total: int, share: float, three: tuple[float, float, float]) -> float:
    """Three values, the second reached after a share of all, the third at the end."""
    top = share * total - 1
    if at <= top:
        return _eased(three[0], three[1], at / top)
    return _eased(three[1], three[2], (at - top) / (total - 1 - top))


def one_cycle(
    at: float,
    total: int,
    highest: float,
    share: float = 0.3,
    div: float = 25,
    final: float = 1e4,
) -> float:
    """OneCycleLR's rate after it was stepped `at` times."""
    start = highest / div
    return _cycle(at, total, share, (start, highest, start / final))


def one_cycle_momentum(at: float, total: int, share: float = 0.3) -> float:
    """OneCycleLR's momentum, or beta1, after it was stepped `at` times."""
    return _cycle(at, total, share, (0.95, 0.85, 0.95))


def cosine(at: float, length: float, highest: float, lowest: float = 0.0) -> float:
    """CosineAnnealingLR's rate."""
    return _eased(highest, lowest, at / length)


def warm_restart(at: float, highest: float, first: int, factor: int) -> float:
    """CosineAnnealingWarmRestarts' rate at a fraction of an epoch, for a factor of 2 and T_0 1."""
    assert (first, factor) == (1, 2)
    cycle = floor(log2(at + 1))
    begin = 2**cycle - 1
    return _eased(highest, 0.0, (at - begin) / 2**cycle)


def triangle(at: int, low: float, high: float, up: int) -> float:
    """CyclicLR's rate: up in so many steps, down in as many."""
    within = at % (2 * up)
    return low + (high - low) * (within if within <= up else 2 * up - within) / up


def swa(at: int, start: float, goal: float, epochs: int) -> float:
    """SWALR's rate: eased to its goal, then constant."""
    return _eased(start, goal, min(1.0, at / epochs))
