"""What a command line would call runs with its own defaults."""

from __future__ import annotations

import pytest

from grader.capture.rehearsal import commands
from grader.capture.rehearsal.absorbed import UnknownValueError


def test_fire_calls_the_function():
    assert commands.fire("fire").Fire(with_defaults) == (3, 0.1)


def with_defaults(epochs=3, lr=0.1):
    return epochs, lr


def test_what_has_no_default_is_asked_for():
    def main(epochs):
        return epochs

    with pytest.raises(UnknownValueError, match="epochs must be given"):
        commands.fire("fire").Fire(main)


def test_click_gives_the_defaults_of_its_options():
    click = commands.click("click")

    @click.command()
    @click.option("--num-epochs", "-e", default=6, help="how long")
    @click.option("--amp", is_flag=True)
    def main(num_epochs, amp):
        return num_epochs, amp

    assert main() == (6, False)


def test_typer_runs_the_function():
    typer = commands.typer("typer")

    def main(epochs: int = typer.Option(4, help="how long")):
        return epochs

    assert typer.run(main) == 4
