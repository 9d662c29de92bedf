"""What of a network must stay while it trains: the mode and the settings of its layers.

In: a network, at the first step of each epoch. Out: reasons why the grader cannot train so. Weights
may change, and nothing else: the grader trains the network that it captured once.
"""

from __future__ import annotations

from typing import Any

from torch import nn

_MODE = "training"


class Layers:
    """The settings that the layers of a network had at its first step."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._settings = _settings(network)

    def problems(self) -> list[str]:
        """What is another than at the first step, or not in training mode."""
        found = []
        resting = _in_evaluation_mode(self._network)
        if resting:
            found.append(
                f"Parts of the network stay in evaluation mode while it trains ({resting[0]}), so "
                "they do not act as in training: the grader trains all of it in training mode"
            )
        now = _settings(self._network)
        changed = [key for key in self._settings if now.get(key) != self._settings[key]]
        if changed:
            layer, name = changed[0]
            found.append(
                f"{name} of {layer} changes while the network trains (at first it is "
                f"{self._settings[changed[0]]}): the grader trains the network as it is built"
            )
        return found


RESTING = (
    "The network trains in evaluation mode, in which Dropout is off and BatchNorm learns no "
    "averages; the grader trains in training mode: call model.train() before each epoch"
)

REPLACED = (
    "The forward() of the network is replaced after it is built, and the grader runs the one of "
    "its class: write the new one into the class"
)


def _in_evaluation_mode(network: nn.Module) -> list[str]:
    """Layers of torch's that act differently then, where the network itself is in training mode."""
    kinds = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd)
    return [
        f"{name}, {type(layer).__name__}"
        for name, layer in network.named_modules()
        if network.training and not layer.training and isinstance(layer, kinds)
    ]


def _settings(network: nn.Module) -> dict[tuple[str, str], Any]:
    """The plain numbers that torch's own layers keep: a Dropout's p, say."""
    found: dict[tuple[str, str], Any] = {}
    for layer_name, layer in network.named_modules():
        if not type(layer).__module__.startswith("torch.nn."):
            continue
        for name, value in vars(layer).items():
            is_plain = type(value) in (bool, int, float)
            if is_plain and name != _MODE and not name.startswith("_"):
                kind = type(layer).__name__
                found[f"{kind} {layer_name}".strip(), name] = value
    return found
