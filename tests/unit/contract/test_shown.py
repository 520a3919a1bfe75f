"""Values from outside as a message shows them."""

from __future__ import annotations

import sys
from datetime import date

import pytest

from executor.contract.shown import clipped, first_line, listed, shown

PLAIN = [None, '', "it's", 'a\tb\n', 1.5, True, 10**50, 'x' * 198]  # the last has 200 characters with its quotes
NESTED = [[], ['a', 1, None], {'a': {'b': [1]}}, date(2020, 1, 2)]
LONG = ['x' * 199, 'x' * 10_000_000, b'\xff' * 10_000, list(range(100_000)), ('x' * 190,) * 6]
LONG_NESTED = [dict.fromkeys(range(1000), 'x' * 1000), [['x' * 1000] * 1000] * 1000]
LONG_NUMBERS = [10**300, -(10**4000), 10**100_000, [10**100_000]]  # some have more digits than Python writes


@pytest.mark.parametrize('value', [*PLAIN, *NESTED])
def test_short_values_are_shown_whole(value):
    assert shown(value) == repr(value)


@pytest.mark.parametrize('value', [*LONG, *LONG_NESTED, *LONG_NUMBERS], ids=lambda value: type(value).__name__)
def test_long_values_are_cut(value):
    text = shown(value)
    assert 0 < len(text) <= 203
    assert '\n' not in text


def test_what_is_cut_shows_both_ends():
    assert shown('a' * 500 + 'b' * 500) == "'" + 'a' * 97 + '...' + 'b' * 98 + "'"
    assert shown(list(range(100))) == '[0, 1, 2, 3, 4, 5, ...]'


@pytest.mark.skipif(hasattr(sys, 'get_int_max_str_digits'), reason='this Python writes no number of so many digits')
def test_a_number_of_too_many_digits_is_cut_where_python_writes_it():
    digits = str(2**100_000)
    assert shown(2**100_000) == f'{digits[:98]}...{digits[-99:]}'


@pytest.mark.skipif(not hasattr(sys, 'get_int_max_str_digits'), reason='this Python writes numbers of any length')
def test_a_number_of_too_many_digits_tells_its_size():
    assert shown(2**100_000) in ('a number of 100001 bits', clipped(f'<int instance with roughly 10^{30102} digits>'))


def test_values_that_hold_themselves_end():
    inside: list = []
    inside.append(inside)
    mapping: dict = {}
    mapping['a'] = mapping
    assert shown(inside) == '[[[[...]]]]'
    assert shown(mapping) == "{'a': {'a': {'a': {...}}}}"


def test_a_tree_of_a_million_million_leaves_ends():
    tree: list = []
    for _ in range(40):
        tree = [tree, tree]
    assert len(shown(tree)) <= 203


def test_clipped():
    assert [clipped(text) for text in ('', 'x' * 200)] == ['', 'x' * 200]
    for text in ('a' * 100 + 'x' + 'b' * 100, 'a' * 1000 + 'b' * 1000):
        assert clipped(text) == 'a' * 100 + '...' + 'b' * 100


@pytest.mark.parametrize('count, text', [(0, ''), (1, '0'), (5, '0, 1, 2, 3, 4'), (6, '0, 1, 2, 3, 4, ...')])
def test_the_first_of_many_are_listed(count, text):
    texts = [str(n) for n in range(count)]
    assert listed(texts) == text
    assert listed(texts, most=count, between='; ') == '; '.join(texts)


@pytest.mark.parametrize(
    'error, line',
    [
        *((ValueError(text), 'one') for text in ('one', 'one\ntwo')),
        *((error, 'ValueError') for error in (ValueError(), ValueError(''), ValueError('\ntwo'))),
        (KeyError('a'), "'a'"),
        (OSError(2, 'No such file', '/a'), "[Errno 2] No such file: '/a'"),
        (KeyboardInterrupt(), 'KeyboardInterrupt'),
    ],
)
def test_the_first_line_of_an_error(error, line):
    assert first_line(error) == line
