"""Two layers that do not fit together, in words: what the second gets, and what it expects.

In: an exception of PyTorch. Out: a sentence, with the layer's name. Runs in the child.
"""

from __future__ import annotations

import re
import traceback

from torch import nn

_FEATURES = re.compile(r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x(\d+)\)")
_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")
_STATISTICS = re.compile(r"running_mean should contain (\d+) elements not (\d+)")


def message(error: BaseException, text: str) -> str | None:
    """What does not fit, where `text`, the first line of the error, says so."""
    layer, name = _layer(error)
    shown = f"{name} ({type(layer).__name__})" if layer is not None and name else "the layer here"
    if found := _FEATURES.search(text):
        gets, expects, gives = found.groups()
        change = f"Write nn.Linear({gets}, {gives})"
        if not isinstance(layer, nn.Linear):
            change = "Check the number of features that this layer expects"
        return _sentence(shown, gets, expects, "features for each image", change)
    if found := _CHANNELS.search(text):
        expects, gets = found.groups()
        change = f"Check in_channels and out_channels: in_channels={gets} fits here"
        if gets == "1":
            change = "Images in shades of grey have 1 channel: write in_channels=1"
        return _sentence(shown, gets, expects, "channels", change)
    if found := _STATISTICS.search(text):
        gets, expects = found.groups()
        kind = type(layer).__name__ if layer is not None else "BatchNorm2d"
        return _sentence(shown, gets, expects, "channels", f"Write nn.{kind}({gets})")
    if "size mismatch" in text:
        return (
            f"Two layers do not fit together: {text}. Check the number of features that this "
            "layer expects."
        )
    return None


def _sentence(layer: str, gets: str, expects: str, what: str, change: str) -> str:
    if gets == "1":
        what = what.replace("channels", "channel").replace("features", "feature")
    return (
        f"Two layers do not fit together: {layer} gets {gets} {what} and expects {expects}. "
        f"{change}."
    )


def _layer(error: BaseException) -> tuple[nn.Module | None, str]:
    """The innermost module that was at work, and its path in the outermost."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [frame.f_locals.get("self") for frame in frames]
    found = [module for module in modules if isinstance(module, nn.Module)]
    if not found:
        return None, ""
    paths = (path for path, module in found[0].named_modules() if module is found[-1])
    return found[-1], next(paths, "")
