"""A dataset is told of before training where it holds nothing to learn from."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

from executor.contract.errors import DatasetError
from executor.training.entries import CLIPPED, OUTSIDE, Entries
from executor.training.usable_boxes import check_usable_boxes
from tests.support.refusal import refusal

INDEX = Path('/in/i.tsv')


def check(
    met: dict[str, int], usable: dict[int, int], ignored=0, outside=0, validation=False, names=('cat', 'dog')
) -> None:
    entries = Entries(pickled=[b'an image'], usable=Counter(usable), ignored=ignored)
    for name, count in met.items():
        entries.tally.classes[name] = count
        if name not in names:
            for _ in range(count):
                entries.tally.leave_out('class not in class_names', name)
    for reason, count in ((CLIPPED, 7), (OUTSIDE, outside)):
        for _ in range(count):
            entries.leaving.leave_out(reason, Path('a.jpg'))
    check_usable_boxes(INDEX, names, entries, validation)


@pytest.mark.parametrize(
    'met, ignored, outside, held',
    [
        ({}, 0, 0, 'no box at all: choose another dataset'),
        (
            {'fish': 2, 'bird': 9},
            *(0, 0),
            'bird (9), fish (2); 11 class not in class_names: choose class_names among these, or another dataset',
        ),
        ({'cat': 3}, 2, 1, 'cat (3); 1 outside of their image; 2 difficult or crowd: choose'),
    ],
)
def test_nothing_to_learn_from(met, ignored, outside, held):
    told = refusal(DatasetError, check, met, {}, ignored, outside)
    assert told.startswith(
        f'{INDEX}: its 1 images have no box of cat, dog to learn from; its annotation files hold {held}'
    )


def test_many_classes_of_long_names_are_told_shortly():
    names = tuple(f'{n}{"x" * 150}' for n in range(100))
    met = {f'{n}{"y" * 150}': 1000 - n for n in range(100)}
    told = refusal(DatasetError, check, met, {}, names=names)
    assert [f'{n}yyy' in told for n in (0, 9, 10)] == [True, True, False]
    assert told.index('(1000)') < told.index('(991)')
    assert len(told) < 1500


def test_one_box_is_enough_and_classes_without_any_are_told(caplog):
    caplog.set_level(logging.WARNING)
    check({'cat': 1, 'dog': 1}, {0: 1, 1: 1})
    assert caplog.records == []
    check({'cat': 1, 'dog': 1}, {1: 1}, ignored=1)
    assert [record.getMessage() for record in caplog.records] == [f'{INDEX}: no box of 1 classes: cat']


def test_a_validation_without_boxes_is_a_warning(caplog):
    check({'bird': 1}, {}, validation=True)
    (record,) = caplog.records
    told = f'{INDEX}: its 1 images have no box of cat, dog to measure with; its annotation files hold bird (1)'
    assert record.getMessage() == f'{told}; 1 class not in class_names: mAP will be 0'
