"""sklearn's splitters: the same indices as sklearn gives, by its own documented examples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grader.capture.rehearsal import selection
from grader.capture.rehearsal.absorbed import Absorbed, UnknownValueError

Metrics = selection.module("sklearn.metrics")
Selection = selection.module("sklearn.model_selection")


def plain(splits):
    return [(trained.tolist(), tested.tolist()) for trained, tested in splits]


def test_kfold_is_that_of_its_documentation():
    assert plain(Selection.KFold(n_splits=2).split(np.zeros((4, 2)))) == [
        ([2, 3], [0, 1]),
        ([0, 1], [2, 3]),
    ]


def test_stratified_kfold_is_that_of_its_documentation():
    folds = Selection.StratifiedKFold(n_splits=2).split(np.zeros(4), np.array([0, 0, 1, 1]))
    assert plain(folds) == [([1, 3], [0, 2]), ([0, 2], [1, 3])]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("name", ["KFold", "StratifiedKFold"])
def test_each_image_is_tested_once_and_every_part_is_as_large_as_sklearn_makes_it(name, shuffle):
    labels = torch.arange(103) % 10
    state = 3 if shuffle else None
    folds = getattr(Selection, name)(5, shuffle=shuffle, random_state=state)
    tested = [part for _, part in folds.split(range(103), labels)]
    assert sorted(np.concatenate(tested).tolist()) == list(range(103))
    assert sorted(map(len, tested), reverse=True) == [21, 21, 21, 20, 20]
    again = getattr(Selection, name)(5, shuffle=shuffle, random_state=state)
    parts = [part for _, part in again.split(range(103), labels)]
    assert all(map(np.array_equal, tested, parts))
    assert folds.get_n_splits() == 5


@pytest.mark.parametrize("options", [{}, {"shuffle": True, "random_state": 7}])
@pytest.mark.parametrize("name", ["KFold", "StratifiedKFold"])
def test_folds_are_those_of_sklearn_itself(name, options):
    real = pytest.importorskip("sklearn.model_selection")
    labels = np.random.RandomState(1).randint(0, 10, 537)
    ours = getattr(Selection, name)(7, **options).split(labels, labels)
    theirs = getattr(real, name)(7, **options).split(labels, labels)
    assert plain(ours) == plain(theirs)


def test_a_shuffled_kfold_takes_the_images_of_numpys_own_permutation():
    drawn = np.arange(10)
    np.random.RandomState(0).shuffle(drawn)
    folds = Selection.KFold(5, shuffle=True, random_state=0).split(range(10))
    assert [sorted(drawn[2 * part : 2 * part + 2].tolist()) for part in range(5)] == [
        tested for _, tested in plain(folds)
    ]


def test_splits_that_are_drawn_have_the_sizes_of_train_test_split():
    splits = plain(Selection.ShuffleSplit(3, test_size=0.25, random_state=0).split(range(10)))
    assert [(len(trained), len(tested)) for trained, tested in splits] == [(7, 3)] * 3


def test_images_are_not_split_and_what_is_not_here_is_named():
    data = torch.utils.data.TensorDataset(torch.zeros(8))
    with pytest.raises(UnknownValueError, match="split the indices"):
        Selection.train_test_split(data)
    with pytest.raises(UnknownValueError, match="GroupKFold"):
        Selection.GroupKFold(3)


def test_accuracy_is_what_it_is():
    assert Metrics.accuracy_score([1, 2, 3, 4], torch.tensor([1, 2, 0, 4])) == 0.75
    assert Metrics.accuracy_score([1, 2], [1, 2], normalize=False) == 2
    assert isinstance(Metrics.accuracy_score([1], Absorbed("pandas.x")), Absorbed)
