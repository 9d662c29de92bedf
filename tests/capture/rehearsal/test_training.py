"""Whole trainings, as they are written: what one rehearsal sees of each."""

from __future__ import annotations

from tests.capture.rehearsal.rehearsed import kind, line, only, rehearsed


def test_a_plain_training_is_seen_step_by_step():
    def look(trace):
        training = only(trace)
        walks = [(walk.length, steps, walk.complete) for walk, steps in training.walks]
        rates = [(now, steps) for now, steps in training.curve]
        return training.name, training.steps, walks, rates, kind(trace), trace.notes

    name, steps, walks, rates, step, notes = rehearsed("loop(usual)", look)
    assert (name, steps) == ("SGD", 24)
    assert walks == [(8, 8, True)] * 3
    assert rates == [(((0.1,), (0.9,), (0,)), 24)]
    loss = step.objectives[0].plain
    assert (loss.name, loss.options, loss.through) == ("nll_loss", (), ())
    assert loss.of_network
    assert loss.true_labels
    assert loss.line == line("F.nll_loss(model(x), y)")
    assert (step.clips, step.images, step.zeroed, step.gradients) == ((), "untouched", True, "")
    assert notes == {}
