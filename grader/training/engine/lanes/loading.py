"""Images into lanes, and scores out of them."""

from __future__ import annotations

from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map


def load(images: Map, target: Target) -> Function:
    """The kernel that brings float images (count, channels, height, width) into lanes.

    Lanes beyond the last image hold the last one again: numbers like any others, which masks leave
    out.
    """
    parameters = [("ptr", "images"), ("ptr", "target"), ("i64", "first"), ("i64", "end")]
    f = Function("loading", [*parameters, ("i64", "count")], target.lanes)
    with f.loop(f["first"], f["end"]) as group:
        begins = [
            _image(f, group, lane) * (images.channels * images.pixels) for lane in range(f.lanes)
        ]
        with (
            f.loop(images.channels) as channel,
            f.loop(images.height) as y,
            f.loop(images.width) as x,
        ):
            pixel = (channel * images.height + y) * images.width + x
            numbers = [f.scalar(f["images"], begin + pixel) for begin in begins]
            f.store(_vector(f, numbers), f["target"], images.values.at(group, channel, y, x))
    return f


def _image(f: Function, group: Value, lane: int) -> Value:
    number, last = group * f.lanes + lane, f["count"] - 1
    return f.select(f.compare("slt", number, last), number, last)


def _vector(f: Function, numbers: list[Value]) -> Value:
    vector = Value(f, f.vector, "poison")
    for lane, number in enumerate(numbers):
        text = f"insertelement {f.vector} {vector.name}, float {number.name}, i64 {lane}"
        vector = f.emit(f.vector, text)
    return vector


def give(scores: Map, target: Target) -> Function:
    """The kernel that writes scores (group, class, lane) beside each other."""
    parameters = [("ptr", "source"), ("ptr", "scores"), ("i64", "first"), ("i64", "end")]
    f = Function("give", parameters, target.lanes)
    with f.loop(f["first"], f["end"]) as group, f.loop(scores.channels) as channel:
        value = f.load(f["source"], scores.values.at(group, channel))
        f.store(value, f["scores"], group * scores.channels + channel)
    return f
