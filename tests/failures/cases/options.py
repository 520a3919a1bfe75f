"""The two free texts of config.yaml: cfg_options and args_options."""

from __future__ import annotations

from typing import Tuple

from tests.failures.case import Case, rows
from tests.failures.task import INFERENCE, TRAINING, WEIGHTS, config, options

_LINE = '/in/config.yaml:'
_case = rows(300001)


def _deep(what: str, option: str, *words: str, task: str = TRAINING) -> Case:
    """One that only shows when the config is put together or built."""
    return _case(what, options(option), _LINE, 'cfg_options', *words, task=task, heavy=True)


def _in_both(what: str, option: str, *words: str) -> Tuple[Case, Case]:
    """The same in a training and in an inference."""
    inference = _deep(f'{what}, in inference', option, *words, task=INFERENCE)
    return _deep(what, option, *words), inference


CASES: Tuple[Case, ...] = (
    _case(
        'cfg_options has brackets that do not close',
        config(cfg_options='a.b=[1,2'),
        _LINE,
        'cfg_options must be text with balanced brackets',
        "'a.b=[1,2'",
    ),
    _case(
        'cfg_options has quotation marks that do not close',
        config(cfg_options="a.b='x y"),
        _LINE,
        'cfg_options must be text with closed quotation marks',
    ),
    _case('cfg_options has a key without value', config(cfg_options='a.b'), _LINE, 'key=value', "'a.b'"),
    _case('cfg_options is a mapping', config(cfg_options={'a': 1}), _LINE, 'text of the form key=value'),
    _case(
        'cfg_options is nested without end', config(cfg_options='a.b=' + '[' * 3000 + ']' * 3000), _LINE, 'cfg_options'
    ),
    _case(
        'args_options has a flag that does not exist',
        config(args_options='--epochs 3'),
        _LINE,
        'args_options must be flags out of --amp',
        'unknown: --epochs 3',
    ),
    _case(
        'args_options has a seed that is no number',
        config(args_options='--seed one'),
        _LINE,
        "'one' is no whole number",
    ),
    _case(
        'args_options has --cfg-options without value',
        config(args_options='--cfg-options a.b'),
        _LINE,
        'args_options',
        "'a.b' is not",
    ),
    _case(
        'args_options --resume names a file that is not there',
        config(args_options='--resume /in/nowhere.pth'),
        _LINE,
        '--resume /in/nowhere.pth: no such file',
        'name one that the container sees',
        code=300004,
    ),
    _case(
        'args_options --resume names mere weights',
        config(args_options=f'--resume {{root}}/{WEIGHTS}'),
        f'/{WEIGHTS}',
        'holds weights only',
        'use the weights as pretrained model',
        code=300004,
        heavy=True,
    ),
    _deep('cfg_options has a key of mmdet 2', 'optimizer.lr=0.1', 'optimizer', 'use keys of the config'),
    _deep(
        'cfg_options has a key that does not exist, in inference',
        'modell.test_cfg.score_thr=0.1',
        'modell',
        'use keys of the config',
        task=INFERENCE,
    ),
    _deep(
        'cfg_options names an item that a list does not have',
        'train_dataloader.dataset.pipeline.99.prob=1',
        'do not fit the config',
        '99',
    ),
    _deep('cfg_options resume', 'resume=true', 'use args_options --resume'),
    _deep('cfg_options sets 0 epochs', 'train_cfg.max_epochs=0', 'train_cfg.max_epochs', 'at least 1', 'found 0'),
    _deep(
        'cfg_options sets a batch that is a word',
        'train_dataloader.batch_size=big',
        'train_dataloader.batch_size must be a whole number of at least 1',
        "'big'",
    ),
    _deep('cfg_options sets another metric', 'val_evaluator.type=CocoMetric', 'val_evaluator', 'leave its type'),
    _deep('cfg_options sets a learning rate that is a word', 'optim_wrapper.optimizer.lr=fast', 'optimizer.lr=fast'),
    _deep('cfg_options names an optimizer that does not exist', 'optim_wrapper.optimizer.type=Adamm', 'Adamm'),
    _deep('cfg_options names a backbone that does not exist', 'model.backbone.type=DarkNest', 'DarkNest'),
    *_in_both('cfg_options has a key that a part of the model does not know', 'model.backbone.deepth=3', 'deepth'),
    _deep('cfg_options makes the network impossible', 'model.neck.in_channels=[1,2,3]', 'model.neck.in_channels'),
    _deep('cfg_options sets another number of classes', 'model.bbox_head.num_classes=2', 'num_classes', 'class_names'),
    _deep(
        'cfg_options sets another number of classes, in inference',
        'model.bbox_head.num_classes=2',
        'num_classes',
        task=INFERENCE,
    ),
    _deep(
        'cfg_options sets a size that is none, in inference',
        'test_dataloader.dataset.pipeline.1.scale=(0,0)',
        'scale',
        task=INFERENCE,
    ),
    _case(
        'a learning rate with which the loss ends being a number',
        options('optim_wrapper.optimizer.lr=1e30'),
        'the loss is not finite',
        'learning rate',
        code=300201,
        heavy=True,
    ),
    _case(
        'a loss that is no number',
        options('model.bbox_head.loss_obj.loss_weight=nan'),
        'the loss is not finite',
        'learning rate',
        'optim_wrapper.optimizer.lr=',
        code=300201,
        heavy=True,
    ),
)
