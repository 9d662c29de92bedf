"""`nox -s bench`: everything (`everything.py`), or with `--gpu` what a GPU gives (`gpu/`)."""

from __future__ import annotations

import sys


def main() -> None:
    """Measure what is asked for. The GPU's part needs few packages, so nothing else is loaded."""
    if "--gpu" in sys.argv[1:]:
        from bench.gpu import command

        sys.exit(command.main(sys.argv[1:]))
    import typer

    from bench import everything

    typer.run(everything.main)


if __name__ == "__main__":
    main()
