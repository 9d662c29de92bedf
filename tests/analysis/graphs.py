"""Graphs for the tests: from torch modules through the real capture, and measured through the real network."""

from __future__ import annotations

import warnings

import torch
from torch import nn

from grader.capture.graph import Constants, declared_weights, export
from grader.program import Graph


def graph_of(model: nn.Module, shape: tuple[int, ...] = (1, 28, 28), *, training: bool = False) -> Graph:
    """The graph of `model` for images of `shape` (channels, rows, columns)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own
        return export(model, torch.zeros(3, *shape), training=training)


def measured(model: nn.Module, shape: tuple[int, ...] = (1, 28, 28)):
    """The eval graph of `model`, and its weights by name."""
    constants = Constants()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = export(model, torch.zeros(3, *shape), training=False, constants=constants)
    rows, values = declared_weights(model, constants)
    return graph, {row.name: values[row.storage] for row in rows}
