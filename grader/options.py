"""What the user asked for: the one record of it, from the command line to the cache.

Loads no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATIC = "static checks only (--static)"


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `grade`.

    `paths` are the files and folders to grade (all submissions if none); `assignment` the one that
    files outside its folder are for; `training` the file that trains, where work has several;
    `root` the folder that holds assignments/; paths are shown from `home` on (None: from `root`).

    `dataset` is "auto" for each assignment's own, or the name of one that takes its place. `data`
    is the folder that holds the images; `device` where to train, `engine` by what. `static`: only
    the checks that need no training. `epochs` shortens training for a quick look. `seeds` training
    runs, None: as many as it takes to be sure, from `first_seed` on. `train_anyway`: also when a
    required check failed. `require_isolation` is the least level to grade at.

    `stay`: the sandbox that read the submission stays ready for the next one; None: where a user
    sits at a terminal.

    `fresh` grades again what is unchanged; reports go to `output`; `as_json`, `quiet` and
    `details` say what is printed.
    """

    paths: tuple[Path, ...] = ()
    assignment: str | None = None
    training: str | None = None
    root: Path = Path()
    home: Path | None = None
    dataset: str = "auto"
    data: Path | None = None
    device: str = "auto"
    engine: str = "auto"
    static: bool = False
    epochs: int | None = None
    seeds: int | None = None
    minutes: int | None = None
    first_seed: int = 0
    train_anyway: bool = False
    require_isolation: int | None = None
    stay: bool | None = None
    fresh: bool = False
    output: Path = Path("grades")
    as_json: bool = False
    quiet: bool = False
    details: bool = False

    @property
    def deciding(self) -> dict[str, object]:
        """Those that decide what a report says: it stands for as long as they are the same."""
        names = ("static", "epochs", "seeds", "first_seed", "train_anyway", "require_isolation")
        return {name: getattr(self, name) for name in ("engine", *names)}

    @property
    def quick_look(self) -> str:
        """The option that asks for less than a grading, or ""."""
        if self.static:
            return STATIC
        return f"--epochs {self.epochs}" if self.epochs else ""
