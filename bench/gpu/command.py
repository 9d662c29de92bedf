"""`python -m bench --gpu [--data FOLDER]`: see `bench.gpu`. Needs no llvmlite and no network."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "GPU.md"
NEEDED = (
    *("torch", "torchvision", "numpy", "PIL", "pydantic", "platformdirs", "safetensors"),
    *("hypothesis", "pytest"),
)
"""What is imported, by the names of the modules."""
IMPOSSIBLE = 2


def main(arguments: Sequence[str]) -> int:
    """Measure, print and write; returns the exit code: 2 where there is nothing to measure with."""
    asked = _parser().parse_args(arguments)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return _impossible(f"python -m bench --gpu needs packages that are not installed here: "
                           f"{', '.join(missing)}.")  # fmt: skip
    import torch

    if asked.device == "cuda" and not torch.cuda.is_available():
        return _impossible(
            "python -m bench --gpu measures an NVIDIA GPU, and PyTorch "
            f"{torch.__version__} finds none here."
        )
    # Only now, for these need what was looked for.
    from bench import references
    from grader.errors import GraderError
    from grader.training.data import default_folder

    folder = None if asked.practice else asked.data or default_folder()
    try:
        references.images(folder, 1, 1)
        names = references.chosen(asked.references)
    except GraderError as error:
        return _impossible(str(error))
    return _measure(asked, folder, names)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench --gpu",
        description="Measure what a GPU gives, in under six minutes, and write bench/GPU.md.",
    )
    parser.add_argument("--gpu", action="store_true", help="this, and no other benchmark")
    parser.add_argument("--data", type=Path, help="the folder that holds MNIST/raw")
    parser.add_argument("--output", type=Path, help="the file to write; default: bench/GPU.md")
    parser.add_argument("--parts", nargs="+", help="only these, with all the time")
    parser.add_argument("--references", nargs="+", default=[], help="all nine, if none")
    parser.add_argument("--seconds", type=float, help="that all parts may take together")
    rehearsing = parser.add_argument_group("to rehearse it without a GPU")
    rehearsing.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    rehearsing.add_argument("--practice", action="store_true", help="train on practice digits")
    rehearsing.add_argument("--tiny", action="store_true", help="little of everything")
    return parser


def _impossible(why: str) -> int:
    print(why, file=sys.stderr)  # noqa: T201 - to people
    return IMPOSSIBLE


def _measure(asked: argparse.Namespace, folder: Path | None, names: Sequence[str]) -> int:
    from bench.gpu import conducting, note, plan

    sizes = plan.TINY if asked.tiny else plan.Sizes()
    parts = [part for part in plan.PARTS if not asked.parts or part.name in asked.parts]
    seconds = asked.seconds or plan.SECONDS
    whole = sum(part.share for part in parts)
    began = time.time()
    deadlines = plan.deadlines(parts, began, seconds / whole)
    settings = {
        "device": asked.device,
        "folder": str(folder.absolute()) if folder else "",
        "sizes": asdict(sizes),
        "references": names,
        "loaders": min(8, os.cpu_count() or 1) if not asked.tiny else 1,
    }
    command = [sys.executable, "-W", "ignore", "-m", "bench.gpu.measuring", json.dumps(settings)]
    machine = note.Machine(
        _machine(asked.device), f"{datetime.now(UTC):%Y-%m-%d}", asked.device != "cuda"
    )
    file = asked.output or (RESULTS if asked.device == "cuda" else None)
    found: list[conducting.Finding] = []
    text = ""
    for finding in conducting.findings(parts, deadlines, command):
        found.append(finding)
        spent = time.time() - began
        print(f"{spent:4.0f} s  {_told(finding)}", file=sys.stderr, flush=True)  # noqa: T201
        text = note.write(machine, sizes, found, spent)
        if file:  # after every finding: whoever is stopped has what was found
            file.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201
    return 0


def _told(finding: dict[str, object]) -> str:
    facts = {key: value for key, value in finding.items() if key not in ("part", "kind", "tail")}
    return f"{finding['part']}: {finding['kind']} {json.dumps(facts)[:160] if facts else ''}"


def _machine(device: str) -> str:
    """The machine, driver and versions, in words."""
    import torch

    from grader.training import lab_note

    here = lab_note.describe(device=device, isolation="")
    words = [f"{here.processor}, {here.cores} cores, {here.platform}", f"Python {here.python}"]
    words.append(f"torch {here.torch}, torchvision {here.torchvision}")
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        memory = f"{properties.total_memory / 2**30:.0f} GiB"
        words.insert(0, f"{properties.name} ({memory}), driver {_driver()}")
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call] # torch's own
        words.append(f"CUDA {torch.version.cuda}, cuDNN {cudnn}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    words.append(f"load average {load:.1f} at the start")
    return ", ".join(words)


def _driver() -> str:
    found = shutil.which("nvidia-smi")
    if found is None:
        return "unknown"
    query = [found, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, check=False, capture_output=True, text=True, timeout=30)  # noqa: S603
    return (done.stdout.split() or ["unknown"])[0]
