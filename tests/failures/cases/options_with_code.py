"""cfg_options that would run code. A canary must not appear."""

from __future__ import annotations

from typing import Tuple

from tests.failures.case import Case, rows
from tests.failures.packages import EVIL, EVIL_WEIGHTS, NMS, TOUCH, plain_pickle, shell
from tests.failures.task import INFERENCE, PACKAGE, TRAINING, Change, changes, config, options

_file = rows(300004, heavy=True)


def _option(what: str, breaks: Change, *words: str, task: str = TRAINING) -> Case:
    return rows(300001, heavy=True)(what, breaks, 'cfg_options', *words, task=task)


def _in_both(what: str, breaks: Change, *words: str) -> Tuple[Case, Case]:
    """The same in a training and in an inference."""
    inference = _option(f'{what}, in inference', breaks, *words, task=INFERENCE)
    return _option(what, breaks, *words), inference


CASES: Tuple[Case, ...] = (
    *_in_both(
        'cfg_options names a function outside mmdet',
        options(f'model.backbone._delete_=true model.backbone.type=os.system model.backbone.command="{TOUCH}"'),
        'os.system',
    ),
    _option(
        'cfg_options names a wrapper outside mmdet',
        options(f'optim_wrapper._delete_=true optim_wrapper.type=os.system optim_wrapper.command="{TOUCH}"'),
        'os.system',
    ),
    _option(
        'cfg_options names a compiler',
        options('compile.backend=inductor', 'compile.options.cpp.cxx=/tmp/evil'),
        'compile',
    ),
    _option(
        'cfg_options names a way to read files',
        options('train_dataloader.dataset.dataset.pipeline.0.backend_args.backend=memcached'),
        'backend_args',
    ),
    _option(
        'cfg_options names another file of annotations', options('train_dataloader.dataset.dataset.ann_file=x.pkl')
    ),
    _option('cfg_options names another index', options('val_dataloader.dataset.index_file=/etc/passwd'), 'index_file'),
    _option('cfg_options sets the folder of a training', options('work_dir=/tmp'), 'work_dir'),
    _option('cfg_options sets how ranks find each other', options('launcher=slurm'), 'launcher'),
    _option(
        'cfg_options names a log processor outside mmdet',
        options(f'log_processor._delete_=true log_processor.type=os.system log_processor.command="{TOUCH}"'),
        'os.system',
    ),
    _option(
        'cfg_options names a function for each worker outside mmdet',
        changes(
            config(workers_per_gpu=1),
            options(
                'train_dataloader.worker_init_fn.type=subprocess.getoutput',
                f'train_dataloader.worker_init_fn.cmd="{TOUCH}"',
            ),
        ),
        'subprocess',
    ),
    *_in_both('cfg_options sets an NMS that is an expression', options(f'model.test_cfg.nms.type={NMS}'), '__import__'),
    _option(
        'cfg_options sets custom_imports',
        options('custom_imports.imports=[antigravity]'),
        'custom_imports',
        'use keys of the config',
    ),
    *_in_both(
        'cfg_options names a function of mmengine’s that runs a program',
        options(
            'model.backbone._delete_=true',
            'model.backbone.type=mmengine.call_command',
            'model.backbone.cmd=[touch,{root}/canary]',
        ),
        'mmengine.call_command',
    ),
    _option(
        'cfg_options names a pickle of proposals',
        changes(
            plain_pickle(shell, f'{PACKAGE}/evil.pkl'),
            options(f'val_dataloader.dataset.proposal_file={{root}}/{PACKAGE}/evil.pkl'),
        ),
        'evil.pkl',
    ),
    _file(
        'cfg_options loads further weights, which hold a call',
        changes(
            EVIL_WEIGHTS, options(f'model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint={EVIL}')
        ),
        'evil.pth',
    ),
    _file(
        'cfg_options loads further weights by an older key',
        changes(
            EVIL_WEIGHTS,
            config(
                config_file='configs/retinanet/retinanet_r18_fpn_1x_coco.py',
                cfg_options=f'model.backbone.init_cfg=None model.backbone.pretrained={EVIL}',
            ),
        ),
        'evil.pth',
    ),
    _file(
        'cfg_options load_from names weights that hold a call',
        changes(EVIL_WEIGHTS, options(f'load_from={EVIL}')),
        'evil.pth',
    ),
)
