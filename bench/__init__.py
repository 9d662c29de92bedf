"""How fast the grader is: `nox -s bench`. Measured, never tested."""
