"""What an assignment asks for, read from its `assignment.toml`.

In: a folder that an instructor wrote (trusted, but people mistype). Out: a frozen `Assignment`, or
an AssignmentError that names the file, the key, what was found there and what would be accepted. No
torch here.
"""

from grader.assignment.reading import FILE, Mistake, load, load_all, load_each, parsed
from grader.assignment.recipe import (
    DefaultRecipe,
    OptimizerChoice,
    SchedulerChoice,
    TransformChoice,
)
from grader.assignment.rules import HELD_BACK, Assignment
from grader.assignment.steps import Step
from grader.assignment.tables import Bound, Check, Limits, MetricImages, Protocol
from grader.assignment.words import did_you_mean, sentence

__all__ = [
    "FILE",
    "HELD_BACK",
    "Assignment",
    "Bound",
    "Check",
    "DefaultRecipe",
    "Limits",
    "MetricImages",
    "Mistake",
    "OptimizerChoice",
    "Protocol",
    "SchedulerChoice",
    "Step",
    "TransformChoice",
    "did_you_mean",
    "load",
    "load_all",
    "load_each",
    "parsed",
    "sentence",
]
