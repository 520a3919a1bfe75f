from __future__ import annotations

from datetime import date, datetime

import pytest

from executor.contract import parsers
from executor.contract.shown import shown

HUGE = ['9' * 5000, '1' * 100_000, 10**5000, 10**400, 1e308]
NUMBERS = "numbers from 0 to 9 with commas between them, such as '1.0,0.5'"
NAMES = "a list of names, in quotation marks where YAML takes one for something else ('no', '2024-01-01')"
NEITHER = [None, b'a', date(2024, 1, 1), datetime(2024, 1, 1), {'a'}, {'a': 1}, ('a',), [('a', 'b')], [['a']]]
FROZEN = 'none, backbone, or a number of stages, a whole number of at least 1'
SIDES = (
    'a whole number of pixels from 32 to 8192, such as 640, or width and height with a comma between them, such as '
    "'512,320'"
)
GPUS = "GPU numbers with commas between them, such as '0,1', or empty for CPU"


@pytest.mark.parametrize(
    'parse, values, expected',
    [
        (parsers.integer(-3), [0], 0),
        (parsers.integer(-3), ['-3'], -3),
        (parsers.integer(0), [2**53], 2**53),
        (parsers.integer(1), ['16', ' 16 ', 16.0, '1.6e1'], 16),
        (parsers.integer(1, 4096), [1], 1),
        (parsers.integer(1, 4096), ['4096'], 4096),
        (parsers.number(0, 1), [0], 0.0),
        (parsers.number(0, 1), ['0.25'], 0.25),
        (parsers.number(0, 1), [1], 1.0),
        (parsers.workers, [0, '0', 'none'], 0),
        (parsers.workers, [4, '4', 4.0], 4),
        (parsers.learning_rate, ['1e-3', 0.001], 0.001),
        (parsers.frozen, ['none'], 'none'),
        (parsers.frozen, ['backbone', ' backbone '], 'backbone'),
        (parsers.frozen, [3, '3', 3.0], '3'),
        (parsers.sides, [640, '640', ' 640 ', [640]], (640,)),
        (parsers.sides, ['512,320', ' 512, 320 ', [512, '320']], (512, 320)),
        (parsers.flag, [True, 'True', ' yes ', 'on', '1'], True),
        (parsers.flag, [False, 'FALSE', 'no', 'off', 0], False),
        (parsers.text, [''], ''),
        (parsers.text, [' 128 ', 128], '128'),
        (parsers.choice('a', 'b'), [' b '], 'b'),
        (parsers.choice('off', 'on'), ['on', True], 'on'),
        (parsers.choice('off', 'on'), ['off', False], 'off'),
        (parsers.texts, [[]], ()),
        (parsers.texts, ['a'], ('a',)),
        (parsers.texts, ['a, b c ,d'], ('a', 'b c', 'd')),
        (parsers.texts, [['a', 1, 'b,c']], ('a', '1', 'b,c')),
        (parsers.numbers(0, 9), [[]], ()),
        (parsers.numbers(0, 9), ['1.0, 0.5,2'], (1.0, 0.5, 2.0)),
        (parsers.numbers(0, 9), [[1, '0.1']], (1.0, 0.1)),
        (parsers.numbers(0, 9), [0.5], (0.5,)),
        (parsers.patterns, [r'best.*\.pth, .*\.py'], (r'best.*\.pth', r'.*\.py')),
        (parsers.gpu_ids, [[]], ()),
        (parsers.gpu_ids, [0, '0'], (0,)),
        (parsers.gpu_ids, ['3, 0', [3, 0]], (3, 0)),
    ],
)
def test_values_of_a_form(parse, values, expected):
    for value in values:
        assert parse(value) == expected
        assert type(parse(value)) is type(expected)


@pytest.mark.parametrize(
    'parse, values, wanted',
    [
        (
            parsers.integer(0),
            ['', '1.5', True, [1], 'nan', 'inf', '1e308', *HUGE, *NEITHER],
            'a whole number of at least 0',
        ),
        (parsers.integer(1), [0], 'a whole number of at least 1'),
        (parsers.integer(0), ['-1'], 'a whole number of at least 0'),
        (parsers.integer(1, 8), [9, 0, 'x'], 'a whole number of at least 1 and at most 8'),
        (parsers.seed, ['²', 2**32], 'a whole number of at least 0 and at most 4294967295'),
        (parsers.number(0, 1), ['x', '1.5', 1.01, -0.01, float('nan'), False], 'a number from 0 to 1'),
        (parsers.workers, ['None', '', -1, 257, True], 'a whole number of at least 0 and at most 256'),
        (parsers.learning_rate, [0, '0', -1, 'inf', 'fast', 1000], 'a number from 1e-12 to 100'),
        (parsers.frozen, [0, '0', 'head', 1.5, -1, True, ''], FROZEN),
        (parsers.sides, ['', '640x320', '1,2,3', '640,', 31, '640,8193', 640.5, True, *NEITHER], SIDES),
        (parsers.flag, ['', 2, [True], *NEITHER], 'true or false'),
        (parsers.text, [['a'], True, *NEITHER], 'text'),
        (parsers.choice('a', 'b'), ['A', *NEITHER], 'one of a, b'),
        (parsers.choice('a'), ['b'], 'a'),
        (parsers.texts, [True, *NEITHER, *(['a', value] for value in (True, *NEITHER))], NAMES),
        (parsers.texts, [['a'] * 10_001], f'{NAMES}, at most 10000'),
        (parsers.numbers(0, 9), ['1.0,x', '1.0;0.5', '1.0,inf', '1,-1', '1,10', [1, True], *NEITHER], NUMBERS),
        # Dropping the empty one would give the third class the weight of the second.
        (parsers.numbers(0, 9), ['1.0,,0.1'], NUMBERS),
        (
            parsers.gpu_ids,
            ['-1', '0,0', '0,00', 'cuda:0', '0;1', '\u00b2', 0.5, 1.5, True, '99999', *HUGE[3:], *NEITHER],
            GPUS,
        ),
    ],
)
def test_values_that_do_not_fit(parse, values, wanted):
    for value in values:
        with pytest.raises(ValueError) as caught:
            parse(value)
        assert str(caught.value) == wanted


def test_a_text_that_is_too_long():
    assert parsers.text('x' * 2**16) == 'x' * 2**16
    with pytest.raises(ValueError, match='^text of at most 65536 characters$'):
        parsers.text('x' * (2**16 + 1))


@pytest.mark.parametrize('pattern', ['best[', 'a{99999999999}', '(' * 5000 + ')' * 5000, 'x' * 50_000 + '['], ids=len)
def test_a_pattern_that_no_machine_can_compile(pattern):
    with pytest.raises(ValueError) as caught:
        parsers.patterns([r'.*\.py', pattern])
    assert str(caught.value).startswith(f'regular expressions with commas between them ({shown(pattern)}: ')
    assert len(str(caught.value)) < 500
