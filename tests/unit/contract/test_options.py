from __future__ import annotations

import argparse
import math

import pytest

from executor.contract.options import RESUME_LATEST, TrainArgs, cfg_options, train_args
from executor.contract.shown import shown


def nested_lists(levels: int) -> list:
    return [nested_lists(levels - 1)] if levels > 1 else [1]


@pytest.mark.parametrize(
    'text, expected',
    [
        *((empty, {}) for empty in ('', '  \n ')),
        ('a=1', {'a': 1}),
        ('a=-1.5e-3', {'a': -0.0015}),
        ('a=true b=False c=None d=text', {'a': True, 'b': False, 'c': None, 'd': 'text'}),
        ('a.b.0.c_d=x=y', {'a.b.0.c_d': 'x=y'}),
        ('a=', {'a': ''}),
        ('a=1 a=2', {'a': 2}),
        ('b=1\na=2', {'b': 1, 'a': 2}),
        ('a=1,2', {'a': [1, 2]}),
        ('a=[1, 2] b=3', {'a': [1, 2], 'b': 3}),
        ('a=[ (1, 2), (3, 4) ] b=( x, [ 5 ] )', {'a': [(1, 2), (3, 4)], 'b': ('x', [5])}),
        ('a=[] b=()', {'a': [], 'b': ()}),
        ('a=(1,)', {'a': (1,)}),
        ('a=' + '[' * 20 + '1' + ']' * 20, {'a': nested_lists(20)}),
        ("a='text'", {'a': 'text'}),
        ("a='1'", {'a': 1}),
        ('a=[\'x\', "y"]', {'a': ['x', 'y']}),
        ("a=it's", {'a': "it's"}),
        # mmengine itself takes the blanks out of quotes, and does not end on lists beside each other.
        *((f'a={quote}x y{quote} b=1', {'a': 'x y', 'b': 1}) for quote in '"\''),
        ('a=[1,2],[3]', {'a': [[1, 2], [3]]}),
        ('a=inf b=-Infinity c=1e38', {'a': math.inf, 'b': -math.inf, 'c': 1e38}),
        (
            'train_cfg.max_epochs=3.0 optim_wrapper.optimizer.lr=1',
            {'train_cfg.max_epochs': 3, 'optim_wrapper.optimizer.lr': 1.0},
        ),
        # Text is data: nothing of it is evaluated.
        ('a=__import__("os").getcwd()', {'a': '__import__("os").getcwd()'}),
    ],
)
def test_cfg_options(text, expected):
    found = cfg_options(text)
    assert repr(found) == repr(expected)  # repr: True is not 1, (1,) is not [1], and the order is the text's


# Values without blanks, since mmengine takes a word from the shell.
PEER_VALUES = """
1 -1 +1 1_000 0x10 1.5 .5 1e-3 inf
true True FALSE None none nano 1a 9e text /in/models/a.pth x.y-z a=b
1,2 1, [1,2] [1,] [1,,2] (1,2) [] () (1) (1,)
[[1,2],[3,4]] [(1,2),(3,4)] ((1,2),[3],x) [1,2],3 1,[2,3] [True,None,none,1.5]
'' '1' 'true' "text" ['a','b'] ["1",x] "1,2" "[(1,2),(3,4)]" '(1,2)'
""".split()  # noqa: SIM905


@pytest.mark.parametrize('value', ['', *PEER_VALUES])
def test_cfg_options_reads_a_value_as_mmengine_does(value):
    config = pytest.importorskip('mmengine.config')
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=config.DictAction)
    peer = parser.parse_args(['--cfg-options', f'a.b={value}', 'c=1']).cfg_options
    assert repr(cfg_options(f'a.b={value} c=1')) == repr(peer)


TOO_LARGE = ('9' * 5000, '-1e308', '1e999', 'nan', '-NaN')
_AT_LEAST_1 = 'a whole number of at least 1'
NUMBERS = [
    ('train_cfg.max_epochs', f'{_AT_LEAST_1} and at most 100000', ['0', '1.5', '100001', 'ten', '[1,2]', '']),
    ('train_cfg.val_interval', f'{_AT_LEAST_1} and at most 100000', ['0', '-1']),
    ('train_dataloader.batch_size', f'{_AT_LEAST_1} and at most 4096', ['0', '1e30', 'big', '5000']),
    ('val_dataloader.num_workers', 'a whole number of at least 0 and at most 256', ['-1', '257']),
    ('default_hooks.logger.interval', _AT_LEAST_1, ['0', '1e30', '-1']),
    ('model.data_preprocessor.batch_augments.0.interval', _AT_LEAST_1, ['0']),
    ('param_scheduler.1.T_max', _AT_LEAST_1, ['0']),
    ('randomness.seed', 'a whole number of at least 0 and at most 4294967295', ['-1', '4294967296']),
    ('optim_wrapper.optimizer.lr', 'a number from 1e-12 to 1e+32', ['0', '-0.1', 'inf', 'fast', '(1,)']),
]
TOO_DEEP = ('a=' + '[' * 21 + '1' + ']' * 21, 'a=' + '(' * 21 + '1' + ')' * 21, 'a=' + '[(' * 5000 + ')]' * 5000)


@pytest.mark.parametrize(
    'value, parts',
    [
        ('a', ['text of the form key=value key2.sub=value2', "'a' is not"]),
        ('=1', ['text of the form key=value', "'=1' is not"]),
        ('a=1 b', ["'b' is not"]),
        ('a = 1', ["'a' is not"]),
        *((text, [f'{text!r} is not']) for text in ('a..b=1', '.a=1', 'a.=1', 'a[0]=1')),
        *((text, ['balanced brackets']) for text in ('a=[1, 2', 'a=1]', 'a=[1 b=2', 'a=1] b=[2')),
        ('"a=1', ['closed quotation marks']),
        *((text, ['at most 20 brackets inside each other']) for text in TOO_DEEP),
        *((value, ['text of the form key=value']) for value in ({'a': 1}, ['a=1'], {'a=1'}, True, b'a=1')),
        *((f'a={text}', [f'text with numbers up to 3.4e+38; {shown(text)} is not']) for text in TOO_LARGE),
        *((f'a=[1,({text},2)]', ['text with numbers up to 3.4e+38']) for text in TOO_LARGE),
        *(
            (f'{key}={value}', [f'text in which {key} is {wanted}; {shown(value)} is not'])
            for key, wanted, values in NUMBERS
            for value in values
        ),
    ],
)
def test_cfg_options_that_are_none(value, parts):
    with pytest.raises(ValueError) as caught:
        cfg_options(value)
    assert [part for part in parts if part not in str(caught.value)] == []


FLAGS = ('amp', 'auto_scale_lr', 'deterministic', 'no_validate')


@pytest.mark.parametrize(
    'text, expected',
    [
        ('', TrainArgs()),
        *((f'--{flag.replace("_", "-")}', TrainArgs(**{flag: True})) for flag in FLAGS),
        ('--seed 0', TrainArgs(seed=0)),
        ('--seed=3', TrainArgs(seed=3)),
        ('--resume', TrainArgs(resume=RESUME_LATEST)),
        ('--resume --amp', TrainArgs(resume=RESUME_LATEST, amp=True)),
        ('--resume /in/models/a.pth --amp', TrainArgs(resume='/in/models/a.pth', amp=True)),
        ('--resume=a.pth', TrainArgs(resume='a.pth')),
        ('--resume "/in/models/a.pth"', TrainArgs(resume='/in/models/a.pth')),
        ('--cfg-options a=1 b.c=[1, 2] --amp', TrainArgs(amp=True, cfg_options={'a': 1, 'b.c': [1, 2]})),
        # mmengine's DictAction adds to what an earlier --cfg-options gave.
        ('--cfg-options a=1 b=2 --cfg-options b=3', TrainArgs(cfg_options={'a': 1, 'b': 3})),
        (
            '--amp --auto-scale-lr --resume --seed 7 --deterministic --no-validate --cfg-options a=x',
            TrainArgs(**dict.fromkeys(FLAGS, True), resume='latest', seed=7, cfg_options={'a': 'x'}),
        ),
    ],
)
def test_train_args(text, expected):
    assert train_args(text) == expected


@pytest.mark.parametrize(
    'text, part',
    [
        *((text, f'unknown: {text}') for text in ('--ampere', '--launcher pytorch', 'amp')),
        ('--am', 'unknown: --am'),  # no abbreviations
        ('-h', 'unknown: -h'),  # no help, which would end the process
        ('--seed', '--seed'),
        *(
            (f'--seed {seed}', f'{shown(seed)} is not a whole number of at least 0 and at most 4294967295')
            for seed in ('x', '-1', '4294967296', '²', '1.5')
        ),
        (f'--seed {"9" * 5000}', "999' is not a whole number of at least 0 and at most 4294967295"),
        ('x' * 60_000, 'unknown: xxx'),
        ('--amp=1', "'1'"),
        ('--cfg-options', '--cfg-options'),
        ('--cfg-options a', "'a' is not"),
        ('--cfg-options a=[1', 'balanced brackets'),
        ("--resume 'a", 'closed quotation marks'),
    ],
)
def test_wrong_flags_list_the_allowed_ones(text, part, capsys):
    with pytest.raises(ValueError) as caught:
        train_args(text)
    allowed = (
        'flags out of --amp, --auto-scale-lr, --resume [FILE], --seed N, --deterministic, --no-validate, '
        '--cfg-options KEY=VALUE [...] ('
    )
    message = str(caught.value)
    assert message.startswith(allowed)
    assert part in message[len(allowed) :]
    assert len(message) < 500
    assert capsys.readouterr() == ('', '')  # argparse prints usage, which nobody sees here
