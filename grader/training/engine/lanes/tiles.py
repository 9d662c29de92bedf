"""Winograd's tiles: 3x3 convolutions with fewer products, at the price of some sums.

Along one dimension, m pixels of a result are computed from n = m + 2 pixels of the source by n
products in place of 3 m. With g a row of the window, d pixels of the source, e of a gradient:

    result             y = A [(G g) * (B d)]       m pixels; A is m x n, G is n x 3, B is n x n
    weights' gradient  g = G' [(A' e) * (B d)]     where ' turns a matrix over

Both dimensions together: every row, then every column. A tile of 2 x 4 pixels takes 4 x 6 = 24
products, where 9 x 8 = 72 are summed up otherwise. The matrices follow from the points at which
polynomials are evaluated: 0, 1, -1 and infinity for m = 2, also 1/2 and -2 for m = 4, which round
half as much as the usual 2 and -2. Against double precision, the root of the mean square of the
errors of a convolution of 16 channels with normal numbers is 0.8 times that of PyTorch's single
precision by tiles of 2 x 2, 1.6 times by 2 x 4, and 3.3 times by 4 x 4, which is why those are not
used.

Sources: Lavin and Gray, arXiv:1509.09308; Barabasz et al., arXiv:1803.10986, for the points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grader.training.engine.lanes.ir import Function, Value

Row = tuple[float, ...]
Matrix = tuple[Row, ...]
Grid = list[list[Value]]


@dataclass(frozen=True, slots=True)
class Side:
    """One dimension: B, G and A of the module."""

    data: Matrix
    weights: Matrix
    sums: Matrix

    @property
    def pixels(self) -> int:
        """Of the result: m."""
        return len(self.sums)

    @property
    def points(self) -> int:
        """Products: n."""
        return len(self.data)


TWO = Side(
    data=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    weights=((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
    sums=((1, 1, 1, 0), (0, 1, -1, -1)),
)
FOUR = Side(
    data=(
        (1, -3 / 2, -2, 3 / 2, 1, 0),
        (0, -1, 1 / 2, 5 / 2, 1, 0),
        (0, 1, -5 / 2, 1 / 2, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 1 / 2, -1, -1 / 2, 1, 0),
        (0, 1, -3 / 2, -2, 3 / 2, 1),
    ),
    weights=(
        (1, 0, 0),
        (1 / 3, 1 / 3, 1 / 3),
        (-1 / 3, 1 / 3, -1 / 3),
        (-16 / 15, -8 / 15, -4 / 15),
        (1 / 15, -2 / 15, 4 / 15),
        (0, 0, 1),
    ),
    sums=(
        (1, 1, 1, 1, 1, 0),
        (0, 1, -1, 1 / 2, -2, 0),
        (0, 1, 1, 1 / 4, 4, 0),
        (0, 1, -1, 1 / 8, -8, 1),
    ),
)


@dataclass(frozen=True, slots=True)
class Tile:
    """Pixels of a result that are computed together."""

    rows: Side
    columns: Side

    @property
    def products(self) -> int:
        """In place of 9 for each pixel."""
        return self.rows.points * self.columns.points

    def counts(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of tiles that cover a map."""
        return -(-height // self.rows.pixels), -(-width // self.columns.pixels)


TILE = Tile(TWO, FOUR)
"""The one that is used."""


def turned(matrix: Matrix) -> Matrix:
    """Rows as columns."""
    return tuple(zip(*matrix, strict=True))


def transform(f: Function, rows: Matrix, columns: Matrix, grid: Grid) -> Grid:
    """`rows` times the grid, times `columns` turned over: along rows first."""
    along = [[combined(f, factors, line) for factors in columns] for line in grid]
    across = [[combined(f, factors, line) for factors in rows] for line in zip(*along, strict=True)]
    return [list(line) for line in zip(*across, strict=True)]


def combined(f: Function, factors: Row, values: Sequence[Value]) -> Value:
    """The sum of factors times values, of vectors or of single numbers."""
    terms = [(k, v) for k, v in zip(factors, values, strict=True) if k]
    terms.sort(key=lambda term: term[0] != 1)
    (factor, total), *rest = terms
    if factor != 1:
        total = total * factor
    for factor, value in rest:
        if factor == 1:
            total = total + value
        elif factor == -1:
            total = total - value
        elif value.type == f.vector:
            total = f.fma(value, factor, total)
        else:
            total = total + value * factor
    return total
