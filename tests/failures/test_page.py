"""The page of what users are told has the rows of the matrix, each once."""

from __future__ import annotations

from collections import Counter

from tests.failures import page


def test_no_row_twice() -> None:
    names = Counter(case.what for case in page.all_cases())
    assert [name for name, count in names.items() if count > 1] == []


def test_the_page_has_all_rows() -> None:
    rows = page.rows_of(page.FILE.read_text(encoding='utf-8'))
    assert set(rows) == {page.first_cell(case) for case in page.all_cases()}, 'run make failures-page'
    for case in page.all_cases():
        row = rows[page.first_cell(case)]
        assert row[0] == case.task
        assert not case.told or row[1] == str(case.code)


def test_names_are_found_as_they_are() -> None:
    assert '\\_' not in page.FILE.read_text(encoding='utf-8')
    assert page.code('samples_per_gpu') == '`samples_per_gpu`'
    assert page.code('set `key: v|w`') == r'`` set `key: v\|w` ``'
