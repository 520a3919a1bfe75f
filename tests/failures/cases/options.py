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


def _number(what: str, option: str, *words: str, task: str = TRAINING) -> Case:
    """One that shows at once."""
    key, _, value = option.partition('=')
    return _case(
        what, options(option), _LINE, 'cfg_options must be text', key if len(value) < 9 else '', *words, task=task
    )


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
        "'one' is not a whole number of at least 0",
    ),
    _case(
        'args_options has a seed of 5000 digits',
        config(args_options=f'--seed {"9" * 5000}'),
        _LINE,
        'args_options must be flags out of',
        "9' is not a whole number of at least 0",
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
    _deep(
        'cfg_options name a sampler that never ends an epoch',
        'train_dataloader.sampler.type=InfiniteSampler',
        'train_dataloader.sampler.type is InfiniteSampler, which never ends an epoch',
        'use DefaultSampler',
    ),
    _deep('cfg_options has a key that nothing looks at', 'optimiser.lr=0.1', 'optimiser', 'use keys of the config'),
    _deep('cfg_options has a key of mmdet 2', 'optimizer.lr=0.1', 'optim_wrapper.optimizer.lr today'),
    _deep(
        'cfg_options has a key of mmdet 2 that is a parameter', 'data.samples_per_gpu=2', 'parameter samples_per_gpu'
    ),
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
    _number('cfg_options sets 0 epochs', 'train_cfg.max_epochs=0', 'at least 1 and at most 100000'),
    _number('cfg_options sets 1e308 epochs', 'train_cfg.max_epochs=1e308', 'up to 3.4e+38'),
    _number('cfg_options validates every 0 epochs', 'train_cfg.val_interval=0', 'at least 1'),
    _number('cfg_options logs every 0 iterations', 'default_hooks.logger.interval=0', 'at least 1'),
    _number('cfg_options sets a batch that is a word', 'train_dataloader.batch_size=big', 'at least 1'),
    _number('cfg_options sets a batch beyond every machine', 'train_dataloader.batch_size=1e30', 'at most 4096'),
    _number('cfg_options sets workers below 0', 'train_dataloader.num_workers=-1', 'at least 0 and at most 256'),
    _number('cfg_options sets a learning rate of 0', 'optim_wrapper.optimizer.lr=0', 'a number from 1e-12'),
    _number('cfg_options has a number of 5000 digits', f'model.test_cfg.nms.iou_threshold={"9" * 5000}', '3.4e+38'),
    _number(
        'cfg_options has a value that is no number', 'model.test_cfg.nms.iou_threshold=nan', '3.4e+38', task=INFERENCE
    ),
    _number('cfg_options sets a learning rate that is a word', 'optim_wrapper.optimizer.lr=fast', 'a number from'),
    _deep('cfg_options sets another metric', 'val_evaluator.type=CocoMetric', 'val_evaluator', 'no such key'),
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
        options('model.bbox_head.loss_obj.loss_weight=3e38'),
        'the loss is not finite',
        'learning rate',
        'optim_wrapper.optimizer.lr=',
        code=300201,
        heavy=True,
    ),
)
