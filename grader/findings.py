"""What is known of a captured network before training, and the training that starts when a check first asks for it.

In: a `Captured` and the images. Out: `Findings`, by the names that the checks know. Trusted code only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from grader import behaviour, judge, network, plugin
from grader.analysis import proof, summary
from grader.errors import GraderError, SubmissionError
from grader.training import device as devices
from grader.trial import Trial, cut_short
from grader.trial import run as run_trial

if TYPE_CHECKING:
    from grader.assignment import Assignment
    from grader.clock import Clock
    from grader.pipeline import Options
    from grader.render.progress import TrainingProgress
    from grader.sandbox.capture import Captured
    from grader.training.data import Data, Source

WATCHED_IMAGES = 200
"""Training images that the untrained network is watched on."""

STATIC = "static checks only (--static)"


@dataclass
class Findings:
    """Everything the checks may ask about one submission; computed when it is first asked for."""

    captured: Captured
    assignment: Assignment
    images: Source
    options: Options
    progress: TrainingProgress
    clock: Clock
    trial: Trial | None = None
    failure: SubmissionError | GraderError | None = field(default=None, repr=False)

    @cached_property
    def analysis(self) -> summary.Analysis:
        """The structure of the network, proven."""
        return analyse(self.captured)

    @cached_property
    def behaviour(self) -> behaviour.Behaviour:
        """What the untrained network does with some training images."""
        known = self.data.training
        images = torch.from_numpy(known.train_images[:WATCHED_IMAGES].copy()).float() / 255
        labels = torch.from_numpy(known.train_labels[:WATCHED_IMAGES].copy())
        return behaviour.observe(self.captured.program, self.captured.values, images, labels)

    @cached_property
    def data(self) -> Data:
        """The images and labels, read once."""
        return self.images.read()

    def train(self) -> Trial:
        """The trial. Runs once: a second check gets the same trial, or is told the same failure."""
        if self.failure:
            raise self.failure
        if self.trial is None:
            try:
                self.trial = self._train()
            except (SubmissionError, GraderError) as error:
                self.failure = error
                raise
        return self.trial

    def _train(self) -> Trial:
        self.progress.stage("Loading the images")
        judged = judge.Judge(self.data.test_labels, classes=self.captured.program.classes)
        self.progress.stage("Training")
        with self.clock.measure("training"):
            return run_trial(
                self.captured,
                self.assignment,
                self.data.training,
                judged,
                device=devices.choose(self.options.device),
                seeds=self.options.seeds,
                epochs=self.options.epochs,
                progress=self.progress,
            )

    @property
    def quick_look(self) -> str:
        """Why this is not a graded run, whether it came to training or not; or ""."""
        return STATIC if self.options.static else cut_short(self.captured.program.recipe, self.options.epochs)

    def for_checks(self) -> plugin.Answers:
        """The same, by the names that the checks know."""
        return plugin.Answers(
            assignment=self.assignment,
            parameters=self.analysis.parameters,
            structure=self.analysis.structure,
            receptive_field=self.analysis.receptive_field,
            behaviour=self.behaviour,
            recipe=self.captured.program.recipe,
            training=self.train,
            accuracy=lambda: self.train().accuracy,
            skip_training=STATIC if self.options.static else "",
            train_anyway=self.options.train_anyway,
        )


def analyse(captured: Captured) -> summary.Analysis:
    """All analyses of a network, its receptive field measured besides."""
    program = captured.program
    weights = network.build(program, captured.values[program.seeds[0]]).weights
    return summary.analyse(program, proof.measure(program.eval, weights))
