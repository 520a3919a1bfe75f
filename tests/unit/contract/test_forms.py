from __future__ import annotations

import pytest

from executor.contract import forms


@pytest.mark.parametrize(
    'parse, value, expected',
    [
        (forms.integer(), 0, 0),
        (forms.integer(), '-3', -3),
        (forms.integer(1), 1, 1),
        (forms.integer(1), '16', 16),
        (forms.integer(1), ' 16 ', 16),
        (forms.integer(1), 16.0, 16),
        (forms.integer(1), '1e2', 100),
        (forms.integer(1, 4096), '4096', 4096),
        (forms.integer(1, 4096), 1, 1),
        (forms.number(0, 1), 0, 0.0),
        (forms.number(0, 1), '0.25', 0.25),
        (forms.number(0, 1), 1, 1.0),
        (forms.flag, True, True),
        (forms.flag, 'True', True),
        (forms.flag, ' yes ', True),
        (forms.flag, 'on', True),
        (forms.flag, '1', True),
        (forms.flag, False, False),
        (forms.flag, 'FALSE', False),
        (forms.flag, 'no', False),
        (forms.flag, 'off', False),
        (forms.flag, 0, False),
        (forms.text, '', ''),
        (forms.text, ' 128G ', '128G'),
        (forms.text, 128, '128'),
        (forms.choice('a', 'b'), ' b ', 'b'),
        (forms.texts, [], ()),
        (forms.texts, 'a', ('a',)),
        (forms.texts, 'a, b c ,d', ('a', 'b c', 'd')),
        (forms.texts, ['a', 1, 'b,c'], ('a', '1', 'b,c')),
        (forms.numbers, [], ()),
        (forms.numbers, '1.0, 0.5,2', (1.0, 0.5, 2.0)),
        (forms.numbers, [1, '0.1'], (1.0, 0.1)),
        (forms.numbers, 0.5, (0.5,)),
        (forms.patterns, r'best.*\.pth, .*\.py', (r'best.*\.pth', r'.*\.py')),
        (forms.gpu_ids, [], ()),
        (forms.gpu_ids, 0, (0,)),
        (forms.gpu_ids, '1', (1,)),
        (forms.gpu_ids, '3, 0', (3, 0)),
        (forms.gpu_ids, [0, 1], (0, 1)),
    ],
)
def test_values_of_a_form(parse, value, expected):
    result = parse(value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    'parse, value, wanted',
    [
        (forms.integer(), '', 'a whole number'),
        (forms.integer(), '1.5', 'a whole number'),
        (forms.integer(), True, 'a whole number'),
        (forms.integer(), None, 'a whole number'),
        (forms.integer(), [1], 'a whole number'),
        (forms.integer(), 'nan', 'a whole number'),
        (forms.integer(), 'inf', 'a whole number'),
        (forms.integer(), 10**400, 'a whole number'),
        (forms.integer(1), 0, 'a whole number of at least 1'),
        (forms.integer(0), '-1', 'a whole number of at least 0'),
        (forms.integer(1, 8), 9, 'a whole number of at least 1 and at most 8'),
        (forms.integer(1, 8), 0, 'a whole number of at least 1 and at most 8'),
        (forms.integer(1, 8), 'x', 'a whole number of at least 1 and at most 8'),
        (forms.integer(maximum=8), 9, 'a whole number and at most 8'),
        (forms.number(0, 1), 'x', 'a number from 0 to 1'),
        (forms.number(0, 1), 1.01, 'a number from 0 to 1'),
        (forms.number(0, 1), -0.01, 'a number from 0 to 1'),
        (forms.number(0, 1), float('nan'), 'a number from 0 to 1'),
        (forms.number(0, 1), False, 'a number from 0 to 1'),
        (forms.flag, '', 'true or false'),
        (forms.flag, 2, 'true or false'),
        (forms.text, ['a'], 'text'),
        (forms.text, {'a': 1}, 'text'),
        (forms.choice('a', 'b'), 'A', 'one of a, b'),
        (forms.texts, [['a']], 'a list of names'),
        (forms.texts, ['a', None], 'a list of names'),
        (forms.texts, {'a': 1}, 'a list of names'),
        (forms.numbers, '1.0,x', "numbers with commas between them, such as '1.0,0.5'"),
        (forms.numbers, '1.0,inf', "numbers with commas between them, such as '1.0,0.5'"),
        # Dropping the empty one would give the third class the weight of the second.
        (forms.numbers, '1.0,,0.1', "numbers with commas between them, such as '1.0,0.5'"),
        (forms.gpu_ids, '-1', "GPU numbers with commas between them, such as '0,1', or empty for CPU"),
        (forms.gpu_ids, '0,00', "GPU numbers with commas between them, such as '0,1', or empty for CPU"),
        (forms.gpu_ids, '\u00b2', "GPU numbers with commas between them, such as '0,1', or empty for CPU"),
        (forms.gpu_ids, 0.5, "GPU numbers with commas between them, such as '0,1', or empty for CPU"),
        (forms.gpu_ids, True, "GPU numbers with commas between them, such as '0,1', or empty for CPU"),
    ],
)
def test_values_that_do_not_fit(parse, value, wanted):
    with pytest.raises(ValueError) as caught:
        parse(value)
    assert str(caught.value) == wanted


def test_a_pattern_that_is_no_regular_expression():
    with pytest.raises(ValueError) as caught:
        forms.patterns(r'.*\.py, best[')
    assert str(caught.value).startswith("regular expressions with commas between them ('best[': ")


@pytest.mark.parametrize('pattern', ['a{99999999999}', '(' * 5000 + ')' * 5000, 'x' * 100_000 + '['], ids=len)
def test_a_pattern_that_no_machine_can_compile(pattern):
    with pytest.raises(ValueError) as caught:
        forms.patterns([pattern])
    assert str(caught.value).startswith("regular expressions with commas between them ('")
    assert len(str(caught.value)) < 500
