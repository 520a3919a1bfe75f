"""Models side by side: numbers by hand, pages that are whole, and text that stays text."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.evaluation.analysis import analyse
from executor.evaluation.changes import shown_errors
from executor.evaluation.coco import evaluate
from executor.report.comparison import Compared, Row, Seen, compare_models, comparison_numbers
from executor.report.comparison_page import write_comparison
from executor.report.model_report import ModelReport, report_numbers
from tests.unit.evaluation.cases import CAT, CLASSES, DOG, image, random_results
from tests.unit.report.test_model_page import HOSTILE, Page

CAT_BOX, DOG_BOX = (0, 0, 100, 100), (200, 0, 300, 100)
TRUE = [(CAT, *CAT_BOX), (DOG, *DOG_BOX)]
BOTH = [(CAT, 0.9, *CAT_BOX), (DOG, 0.9, *DOG_BOX)]


def model(name: str, results, paths, class_names=CLASSES, seen: bool = True, **changes) -> Compared:
    """A model of which these results are known."""
    evaluation = evaluate(results, class_names, EVALUATE_CONFIG)
    details = evaluation.details
    analysis = analyse(details.matches, details.best.threshold)
    report = ModelReport(name, 'here', class_names, evaluation, analysis, paths, len(results), {}, {})
    errors = Seen(shown_errors(details.matches, details.best.threshold), paths) if seen else None
    return Compared(**{'name': name, 'source': 'a file', 'numbers': report_numbers(report), 'seen': errors, **changes})


@pytest.fixture
def paths(tmp_path) -> list[str]:
    files = [tmp_path / f'{name}.jpg' for name in 'abc']
    for file in files:
        cv2.imwrite(str(file), np.full((110, 310, 3), 128, np.uint8))
    return [str(file) for file in files]


@pytest.fixture
def written(tmp_path):
    """Write a comparison; returns the text of its page, and its numbers."""

    def write(models, class_names=CLASSES) -> tuple[str, dict]:
        page, numbers = tmp_path / 'compare.html', tmp_path / 'compare.json'
        write_comparison(compare_models(models), class_names, page, numbers)
        return page.read_text(encoding='utf-8'), json.loads(numbers.read_text(encoding='utf-8'))

    return write


def planted(paths) -> tuple[Compared, Compared]:
    """The second finds the dog of a, and loses both of c; at 0.9 every box is seen."""
    first = [image(0, TRUE, BOTH[:1]), image(1, TRUE, BOTH), image(2, TRUE, BOTH)]
    second = [image(0, TRUE, BOTH), image(1, TRUE, BOTH), image(2, TRUE)]
    return model('first', first, paths), model('second', second, paths)


def rows(numbers: dict, title: str) -> dict:
    (table,) = [table for table in numbers['tables'] if table['title'] == title]
    return {row['name']: row for row in table['rows']}


def test_numbers_by_hand(written, paths):
    """Precision is 1 as far as recall goes, which of COCO's 101 points are 101, 67 or 34."""
    text, numbers = written(planted(paths))
    cat, dog = rows(numbers, 'AP50 by class').values()
    two_of_three = round(67 / 101, 4)
    assert cat == {'name': 'cat', 'values': [1.0, two_of_three], 'changes': [pytest.approx(two_of_three - 1)]}
    assert dog == {'name': 'dog', 'values': [two_of_three] * 2, 'changes': [0.0]}
    assert rows(numbers, 'All classes')['AP_s']['values'] == [None, None]
    assert numbers['images'] == [
        {
            'model': 'second',
            'better': [{'image': paths[0], 'errors': [1, 0]}],
            'worse': [{'image': paths[2], 'errors': [0, 2]}],
        }
    ]
    assert numbers['same_as_first'] == [False]
    page = Page(text)
    assert 'second: 1 image better' in page.texts and 'second: 1 image worse' in page.texts
    assert [one['alt'][:5] for one in page.all('img')] == ['a.jpg', 'a.jpg', 'c.jpg', 'c.jpg']
    assert 'first: 1 error' in page.texts and 'second: 2 errors' in page.texts


@pytest.mark.parametrize(
    'values, more_is_better, expected',
    [
        ([0.5, 0.7], True, True),
        ([0.5, 0.7], False, False),
        ([0.7, 0.5], False, True),
        ([0.5, 0.7], None, None),
        ([0.5, 0.5], True, None),
        ([None, 0.5], True, None),
        ([0.5, None], True, None),
        ([0.30000004, 0.3], True, None),
    ],
)
def test_what_is_better(values, more_is_better, expected):
    assert Row('name', values, more_is_better).is_better(1) is expected


def test_a_model_beside_itself_shows_nothing(written, paths):
    results = random_results(3, 2)
    text, numbers = written([model('a', results, paths), model('b', results, paths)])
    page = Page(text)
    assert 'b: no difference' in page.texts
    assert len(page.all('table')) == 1 and page.all('img') == []
    assert numbers['same_as_first'] == [True]
    assert all(change in (0, None) for table in numbers['tables'] for row in table['rows'] for change in row['changes'])


def test_other_images_alone_are_a_difference(paths):
    """Two models that miss one dog each, but not the same one, have the same numbers."""
    a, b = image(0, TRUE, BOTH), image(0, TRUE, BOTH[:1])
    comparison = compare_models([model('x', [a, b], paths[:2]), model('y', [b, a], paths[:2])])
    assert all(row.values[0] == row.values[1] for table in comparison.tables for row in table.rows)
    assert comparison.same == [False]


def test_three_models_and_one_without_a_class(written, paths):
    first, second = planted(paths)
    third = model('third', [image(0, [TRUE[0]], BOTH[:1])], paths[:1], ('cat',), seen=False)
    text, numbers = written([first, first, third])
    assert numbers['same_as_first'] == [True, False]
    assert rows(numbers, 'AP50 by class')['dog'] == {
        **{'name': 'dog', 'values': [round(67 / 101, 4)] * 2 + [None], 'changes': [0.0, None]}
    }
    assert numbers['images'][1] is None
    assert 'first: no difference' in Page(text).texts


def test_reports_alone_have_no_images(written, paths):
    results = random_results(3, 2)
    models = [model(name, results[:count], paths[:count], seen=False) for name, count in (('a', 3), ('b', 2))]
    text, numbers = written(models)
    assert numbers['images'] == [None]
    assert any('Images are not compared' in one for one in Page(text).texts)


@pytest.mark.filterwarnings('ignore:Glyph')
def test_names_come_out_as_text(written, tmp_path):
    hostile = [str(tmp_path / '"><script>alert(2).jpg'), *(f'{number}.jpg' for number in range(29))]
    models = [
        model(HOSTILE[0], random_results(30, len(HOSTILE)), hostile, HOSTILE, notes=['<b>note</b>']),
        model('{{ 7 * 7 }}', random_results(30, len(HOSTILE), seed=1), hostile, HOSTILE, source='<img src=x>'),
    ]
    text, _ = written(models, HOSTILE)
    page = Page(text)
    assert text.startswith('<!DOCTYPE html>')
    assert '<script' not in text and '<b>' not in text and '<img src=x' not in text
    assert {'script', 'link', 'iframe', 'object', 'form'}.isdisjoint(tag for tag, _ in page.tags)
    assert not any(name.startswith('on') for _, attributes in page.tags for name in attributes)
    outside = [a[key] for _, a in page.tags for key in ('src', 'href', 'srcset', 'data') if key in a]
    assert all(source.startswith('data:image/') for source in outside)
    for name in HOSTILE[:-1]:
        assert name in page.texts
    assert '{{ 7 * 7 }}' in page.texts and '<b>note</b>' in page.texts


def test_numbers_hold_what_json_can(paths):
    json.dumps(comparison_numbers(compare_models(planted(paths))), allow_nan=False)
