"""The machine: GPUs, the output folder, processes that are killed, signals."""

from __future__ import annotations

import signal
from typing import Any, Tuple

from tests.failures.case import Case, Moment
from tests.failures.task import (
    INFERENCE,
    MINING,
    TRAINING,
    Change,
    Task,
    config,
    content,
    env,
    file_for_folder,
    folder,
    many_candidates,
)

_TRAINS = 'epoch 2 of'  # in the log
_SWEEPS = 'images/s,'


def _case(what: str, breaks: Change, code: int, *words: str, task: str = TRAINING, **more: Any) -> Case:
    return Case(what, task, breaks, code, words, **{'heavy': True, **more})


def _long(task: Task) -> None:
    config(workers_per_gpu=1)(task)
    if task.kind == TRAINING:
        config(max_epochs=500)(task)
    else:
        many_candidates(20000)(task)


def _signal(what: str, kind: str, who: str, sent: int, code: int, *words: str, **more: Any) -> Case:
    moment = Moment(_TRAINS if kind == TRAINING else _SWEEPS, who, sent)
    return _case(what, _long, code, *words, task=kind, moment=moment, **more)


CASES: Tuple[Case, ...] = (
    _case(
        'gpu_id asks for a GPU in an image for CPUs',
        config(gpu_id='0', gpu_count=1),
        300101,
        "gpu_id '0' asks for a GPU, but this build of torch",
        'use the GPU image, or leave gpu_id empty',
        cpu_build=True,
    ),
    _case(
        'gpu_id names a GPU that the container does not have',
        config(gpu_id='1', gpu_count=1),
        300102,
        "gpu_id '1' asks for GPU 1",
        'gives the container 1',
        'name GPUs from 0 to 0',
        environ=(('CUDA_VISIBLE_DEVICES', '0'),),
    ),
    _case('/out is a file', file_for_folder('out'), 160004, '/out is a file', heavy=False, told=False),
    _case(
        '/out/models is a file',
        file_for_folder('out/models'),
        160004,
        '/out/models is a file',
        'remove it',
        heavy=False,
    ),
    _case(
        '/out/tensorboard is a file',
        file_for_folder('out/tensorboard'),
        160004,
        '/out/tensorboard is a file',
        'remove it',
        heavy=False,
    ),
    _case(
        '/out/infer-result.json is a folder',
        folder('out/infer-result.json'),
        160004,
        '/out/infer-result.json is a folder',
        'remove it',
        task=INFERENCE,
        heavy=False,
    ),
    _case(
        '/out/training is a file',
        content('out/training', 'a file'),
        160004,
        '/out/training is a file, but the task writes a folder there',
        'remove it',
    ),
    _case(
        '/out/training/resume.pth is a folder',
        folder('out/training/resume.pth'),
        160004,
        '/out/training/resume.pth is a folder, but the task writes a file there',
        'remove it',
    ),
    _case(
        '/out/.parts is a file',
        content('out/.parts', 'a file'),
        160004,
        '/out/.parts is a file, but the task writes a folder there',
        'remove it',
        task=INFERENCE,
    ),
    _case(
        '/out/monitor.txt is a folder',
        folder('out/monitor.txt'),
        160004,
        '/out/monitor.txt is a folder',
        'remove it',
        heavy=False,
        told=False,
    ),
    _case(
        'the output folders cannot be written',
        env({'output.models_dir': '/proc/models', 'output.training_result_file': '/proc/models/result.yaml'}),
        160004,
        '/proc/models cannot be written',
        'mount a folder',
        heavy=False,
    ),
    _case('no ranks', config(), 300001, '--cpu-ranks', arguments=('--cpu-ranks', '0'), heavy=False),
    _case(
        '--cpu-ranks is a word',
        config(),
        300001,
        "--cpu-ranks: invalid int value: 'two'",
        arguments=('--cpu-ranks', 'two'),
        heavy=False,
    ),
    _case(
        'nodes without a rank',
        config(),
        300001,
        '--nodes 2 needs --node-rank',
        'from 0 to 1',
        arguments=('--nodes', '2'),
        heavy=False,
    ),
    _case(
        'a rendezvous elsewhere',
        config(),
        300001,
        'node 0 cannot be met at 192.0.2.1:29400',
        'give --rendezvous an address of its machine',
        arguments=('--nodes', '2', '--node-rank', '0', '--rendezvous', '192.0.2.1'),
    ),
    _case('an argument that is none', config(), 300001, '--gpu', 'start.py --help', arguments=('--gpu',), heavy=False),
    *(
        _case(what, config(max_epochs='个'), 300001, 'max_epochs must be', "found '个'", stdout=stdout, heavy=False)
        for what, stdout in (
            ('the log is on a full disk', 'full'),
            ('nobody reads the log', 'unread'),
            ('stdout and stderr are closed', 'closed'),
        )
    ),
    _case(
        'warnings are errors, and the terminal knows only ASCII',
        config(class_names=['个'], max_epochs='two'),
        300001,
        'max_epochs must be',
        environ=(('PYTHONWARNINGS', 'error'), ('PYTHONIOENCODING', 'ascii')),
        heavy=False,
    ),
    _case(
        'a Python package is missing in the image',
        config(),
        160004,
        "No module named 'yaml'",
        'build the image again',
        stubs=('no_yaml',),
        heavy=False,
    ),
    _case(
        '20 open files are allowed',
        config(),
        160004,
        'a process may have 20 files open',
        'docker run --ulimit nofile=',
        open_files=20,
        heavy=False,
    ),
    _case(
        'loading processes need more open files than are allowed',
        config(workers_per_gpu=8),
        160004,
        'too many files are open, a process may have 56',
        'docker run --ulimit nofile=',
        'workers_per_gpu or samples_per_gpu lower',
        open_files=56,
    ),
    *(
        _signal(
            f'the memory of the machine ends in {kind}',
            kind,
            'worker',
            signal.SIGKILL,
            300103,
            'was killed (SIGKILL)',
            'set samples_per_gpu or workers_per_gpu lower',
        )
        for kind in (TRAINING, INFERENCE)
    ),
    *(
        _signal(
            f'a process that loads images for {kind} is killed',
            kind,
            'loading',
            signal.SIGKILL,
            300103,
            told,
            'workers_per_gpu',
        )
        for kind, told in (
            (TRAINING, 'a data-loading worker died: /dev/shm or the memory is too small'),
            (INFERENCE, 'a process that reads images ahead was killed'),
        )
    ),
    _signal(
        'one of two processes is killed',
        MINING,
        'rank',
        signal.SIGKILL,
        300103,
        'was killed (SIGKILL)',
        arguments=('--cpu-ranks', '2'),
    ),
    _signal(
        'one of two processes is killed while the other waits for it',
        TRAINING,
        'rank',
        signal.SIGKILL,
        300103,
        'was killed (SIGKILL)',
        arguments=('--cpu-ranks', '2'),
    ),
    _signal('the worker is ended from outside', MINING, 'worker', signal.SIGTERM, 160004, 'SIGTERM'),
    _signal('the worker crashes', INFERENCE, 'worker', signal.SIGSEGV, 160004, 'SIGSEGV'),
    _signal('/dev/shm ends', TRAINING, 'worker', signal.SIGBUS, 300103, '/dev/shm is full', 'raise shm_size'),
    *(
        _signal(
            f'{what} is stopped', kind, 'start', signal.SIGTERM, 160004, 'stopped from outside (SIGTERM)', status=143
        )
        for kind, what in ((TRAINING, 'a training'), (INFERENCE, 'an inference'), (MINING, 'a mining'))
    ),
    _signal(
        'Ctrl-C in a training', TRAINING, 'group', signal.SIGINT, 160004, 'stopped from outside (SIGINT)', status=130
    ),
    _signal(
        'the terminal of an inference is closed',
        INFERENCE,
        'group',
        signal.SIGHUP,
        160004,
        'stopped from outside (SIGHUP)',
        status=129,
    ),
    *(
        _case(
            f'{what} while the settings are read',
            content('in/config.yaml', f'a: [{"x: 1," * 40000}]\n'),  # which takes seconds
            160004,
            f'stopped from outside ({sent.name})',
            heavy=False,
            moment=Moment('task task-1', who, sent),
            status=128 + sent,
        )
        for what, who, sent in (
            ('a task is stopped', 'start', signal.SIGTERM),
            ('Ctrl-C', 'group', signal.SIGINT),
            ('the terminal is closed', 'group', signal.SIGHUP),
        )
    ),
)
