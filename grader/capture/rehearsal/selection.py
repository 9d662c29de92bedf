"""sklearn: which images its splitters take, as sklearn itself takes them, and its accuracy.

In: lengths, labels and options. Out: indices: as many in each part as sklearn gives, and for KFold
and StratifiedKFold the very same ones. How a file trains depends on how many there are; a splitter
that is not here is refused by its name.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from grader.capture.rehearsal.absorbed import Absorbed, AbsorbedModule, UnknownValueError

INSTEAD = (
    "use train_test_split, KFold, StratifiedKFold or ShuffleSplit on indices, or "
    "torch.utils.data.random_split"
)
_REFUSED = frozenset(
    {"RepeatedKFold", "RepeatedStratifiedKFold", "GroupKFold", "StratifiedGroupKFold"}
    | {"LeaveOneOut", "LeavePOut", "TimeSeriesSplit", "PredefinedSplit", "GroupShuffleSplit"}
)
Split = tuple[Any, Any]


def module(name: str) -> types.ModuleType:
    """sklearn, or a module in it: all but the selection of images is absorbed."""
    if name == "sklearn":
        whole = AbsorbedModule(name)
        vars(whole).update(
            model_selection=_selection(f"{name}.model_selection"),
            metrics=module(f"{name}.metrics"),
        )
        return whole
    if name == "sklearn.metrics":
        found = AbsorbedModule(name)
        vars(found)["accuracy_score"] = accuracy_score
        return found
    return _selection(name) if name == "sklearn.model_selection" else AbsorbedModule(name)


def accuracy_score(y_true: Any, y_pred: Any, *, normalize: bool = True, **more: Any) -> Any:
    """The share of right answers, as it is: files stop by it."""
    if more or isinstance(y_true, Absorbed) or isinstance(y_pred, Absorbed):
        return Absorbed("sklearn.metrics.accuracy_score()")
    right = np.asarray(y_true).reshape(-1) == np.asarray(y_pred).reshape(-1)
    return float(right.mean()) if normalize else int(right.sum())


def _selection(name: str) -> types.ModuleType:
    found = AbsorbedModule(name)
    vars(found).update(
        train_test_split=train_test_split,
        KFold=KFold,
        StratifiedKFold=StratifiedKFold,
        ShuffleSplit=ShuffleSplit,
        StratifiedShuffleSplit=ShuffleSplit,
    )
    vars(found).update({kind: _Refused(kind) for kind in _REFUSED})
    return found


class _Refused:
    """A splitter that is not here: it can be imported, and no more."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise UnknownValueError(f"the grader does not follow sklearn's {self._name}: {INSTEAD}")


def train_test_split(
    *arrays: Any,
    test_size: Any = None,
    train_size: Any = None,
    **_: Any,
) -> list[Any]:
    """Of the right lengths: the last are the test's."""
    for array in arrays:
        if isinstance(array, Dataset):
            raise UnknownValueError(
                "train_test_split takes every image out of the data set, once and for all, and so "
                "its transform never changes again: split the indices instead "
                "(train_test_split(range(len(data)))), and take torch.utils.data.Subset of each"
            )
    count = _length(arrays[0])
    tested = _share(test_size, count, up=True)
    trained = _share(train_size, count, up=False)
    if tested is None:
        tested = count - trained if trained is not None else -(-count // 4)
    trained = count - tested if trained is None else trained
    parts: list[Any] = []
    for array in arrays:
        parts += [array[:trained], array[trained : trained + tested]]
    return parts


def _share(size: Any, count: int, *, up: bool) -> int | None:
    if not isinstance(size, float):
        return size if size is None else int(size)
    return -int(-size * count // 1) if up else int(size * count)


def _length(images: Any) -> int:
    if isinstance(images, torch.Tensor | np.ndarray):
        return int(images.shape[0])
    return len(images)


class KFold:
    """`n_splits` parts, each of which is tested once."""

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: Any = None
    ) -> None:
        self.n_splits, self.shuffle, self.random_state = int(n_splits), shuffle, random_state

    def get_n_splits(self, *_: Any, **__: Any) -> int:
        """How many there are."""
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:  # noqa: N803
        """(training indices, test indices), part by part."""
        folds = self._folds(_length(X), y)
        everything = np.arange(len(folds))
        for number in range(self.n_splits):
            yield everything[folds != number], everything[folds == number]

    def _random(self) -> Any:
        state = self.random_state
        if state is None:
            return np.random.mtrand._rand  # as sklearn: the global one
        return state if isinstance(state, np.random.RandomState) else np.random.RandomState(state)

    def _folds(self, count: int, _: Any) -> Any:
        """The part in which each image is tested."""
        indices = np.arange(count)
        if self.shuffle:
            self._random().shuffle(indices)
        sizes = np.full(self.n_splits, count // self.n_splits)
        sizes[: count % self.n_splits] += 1
        folds = np.empty(count, dtype=int)
        folds[indices] = np.repeat(np.arange(self.n_splits), sizes)
        return folds


class StratifiedKFold(KFold):
    """Parts that have as many images of each class as the others."""

    def _folds(self, count: int, y: Any) -> Any:
        _, first, codes = np.unique(np.asarray(y), return_index=True, return_inverse=True)
        codes = np.argsort(np.argsort(first))[codes.reshape(-1)]  # in the order they come up
        classes, random = len(first), self._random()
        order = np.sort(codes)
        each = [np.bincount(order[part :: self.n_splits], minlength=classes)
                for part in range(self.n_splits)]  # fmt: skip
        folds = np.empty(count, dtype=int)
        for kind in range(classes):
            parts = np.arange(self.n_splits).repeat([counts[kind] for counts in each])
            if self.shuffle:
                random.shuffle(parts)
            folds[codes == kind] = parts
        return folds


class ShuffleSplit(KFold):
    """Parts that are drawn anew each time, of the sizes that train_test_split gives."""

    def __init__(
        self,
        n_splits: int = 10,
        *,
        test_size: Any = None,
        train_size: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_splits, random_state=random_state)
        self._sizes = test_size, train_size

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:  # noqa: N803
        """(training indices, test indices), as often as it was made for."""
        test_size, train_size = self._sizes
        if test_size is None and train_size is None:
            test_size = 0.1
        random = self._random()
        for _ in range(self.n_splits):
            drawn = random.permutation(_length(X))
            trained, tested = train_test_split(drawn, test_size=test_size, train_size=train_size)
            yield trained, tested
