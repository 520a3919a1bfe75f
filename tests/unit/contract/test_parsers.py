from __future__ import annotations

import pytest

from executor.contract import parsers

NUMBERS = "numbers with commas between them, such as '1.0,0.5'"
GPUS = "GPU numbers with commas between them, such as '0,1', or empty for CPU"


@pytest.mark.parametrize(
    'parse, value, expected',
    [
        (parsers.integer(), 0, 0),
        (parsers.integer(), '-3', -3),
        (parsers.integer(1), 1, 1),
        (parsers.integer(1), '16', 16),
        (parsers.integer(1), ' 16 ', 16),
        (parsers.integer(1), 16.0, 16),
        (parsers.integer(1), '1e2', 100),
        (parsers.integer(1, 4096), '4096', 4096),
        (parsers.integer(1, 4096), 1, 1),
        (parsers.number(0, 1), 0, 0.0),
        (parsers.number(0, 1), '0.25', 0.25),
        (parsers.number(0, 1), 1, 1.0),
        (parsers.flag, True, True),
        (parsers.flag, 'True', True),
        (parsers.flag, ' yes ', True),
        (parsers.flag, 'on', True),
        (parsers.flag, '1', True),
        (parsers.flag, False, False),
        (parsers.flag, 'FALSE', False),
        (parsers.flag, 'no', False),
        (parsers.flag, 'off', False),
        (parsers.flag, 0, False),
        (parsers.text, '', ''),
        (parsers.text, ' 128G ', '128G'),
        (parsers.text, 128, '128'),
        (parsers.choice('a', 'b'), ' b ', 'b'),
        (parsers.texts, [], ()),
        (parsers.texts, 'a', ('a',)),
        (parsers.texts, 'a, b c ,d', ('a', 'b c', 'd')),
        (parsers.texts, ['a', 1, 'b,c'], ('a', '1', 'b,c')),
        (parsers.numbers, [], ()),
        (parsers.numbers, '1.0, 0.5,2', (1.0, 0.5, 2.0)),
        (parsers.numbers, [1, '0.1'], (1.0, 0.1)),
        (parsers.numbers, 0.5, (0.5,)),
        (parsers.patterns, r'best.*\.pth, .*\.py', (r'best.*\.pth', r'.*\.py')),
        (parsers.gpu_ids, [], ()),
        (parsers.gpu_ids, 0, (0,)),
        (parsers.gpu_ids, '1', (1,)),
        (parsers.gpu_ids, '3, 0', (3, 0)),
        (parsers.gpu_ids, [0, 1], (0, 1)),
    ],
)
def test_values_of_a_form(parse, value, expected):
    result = parse(value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    'parse, value, wanted',
    [
        (parsers.integer(), '', 'a whole number'),
        (parsers.integer(), '1.5', 'a whole number'),
        (parsers.integer(), True, 'a whole number'),
        (parsers.integer(), None, 'a whole number'),
        (parsers.integer(), [1], 'a whole number'),
        (parsers.integer(), 'nan', 'a whole number'),
        (parsers.integer(), 'inf', 'a whole number'),
        (parsers.integer(), 10**400, 'a whole number'),
        (parsers.integer(1), 0, 'a whole number of at least 1'),
        (parsers.integer(0), '-1', 'a whole number of at least 0'),
        (parsers.integer(1, 8), 9, 'a whole number of at least 1 and at most 8'),
        (parsers.integer(1, 8), 0, 'a whole number of at least 1 and at most 8'),
        (parsers.integer(1, 8), 'x', 'a whole number of at least 1 and at most 8'),
        (parsers.integer(maximum=8), 9, 'a whole number and at most 8'),
        (parsers.number(0, 1), 'x', 'a number from 0 to 1'),
        (parsers.number(0, 1), '1.5', 'a number from 0 to 1'),
        (parsers.number(0, 1), 1.01, 'a number from 0 to 1'),
        (parsers.number(0, 1), -0.01, 'a number from 0 to 1'),
        (parsers.number(0, 1), float('nan'), 'a number from 0 to 1'),
        (parsers.number(0, 1), False, 'a number from 0 to 1'),
        (parsers.flag, '', 'true or false'),
        (parsers.flag, 2, 'true or false'),
        (parsers.flag, [True], 'true or false'),
        (parsers.text, ['a'], 'text'),
        (parsers.text, {'a': 1}, 'text'),
        (parsers.choice('a', 'b'), 'A', 'one of a, b'),
        (parsers.choice('a'), 'b', 'a'),
        (parsers.texts, [['a']], 'a list of names'),
        (parsers.texts, ['a', None], 'a list of names'),
        (parsers.texts, {'a': 1}, 'a list of names'),
        (parsers.numbers, '1.0,x', NUMBERS),
        (parsers.numbers, '1.0;0.5', NUMBERS),
        (parsers.numbers, '1.0,inf', NUMBERS),
        # Dropping the empty one would give the third class the weight of the second.
        (parsers.numbers, '1.0,,0.1', NUMBERS),
        *((parsers.gpu_ids, value, GPUS) for value in ('-1', '0,0', '0,00', 'cuda:0', '0;1', '\u00b2', 0.5, 1.5, True)),
    ],
)
def test_values_that_do_not_fit(parse, value, wanted):
    with pytest.raises(ValueError) as caught:
        parse(value)
    assert str(caught.value) == wanted


def test_a_pattern_that_is_no_regular_expression():
    with pytest.raises(ValueError) as caught:
        parsers.patterns(r'.*\.py, best[')
    assert str(caught.value).startswith("regular expressions with commas between them ('best[': ")


@pytest.mark.parametrize('pattern', ['a{99999999999}', '(' * 5000 + ')' * 5000, 'x' * 100_000 + '['], ids=len)
def test_a_pattern_that_no_machine_can_compile(pattern):
    with pytest.raises(ValueError) as caught:
        parsers.patterns([pattern])
    assert str(caught.value).startswith("regular expressions with commas between them ('")
    assert len(str(caught.value)) < 500
