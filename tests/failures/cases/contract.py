"""env.yaml, which the platform writes."""

from __future__ import annotations

from typing import Tuple

from tests.failures.case import Case, rows
from tests.failures.task import INFERENCE, MINING, REMOVED, content, env, folder, more_lines, pipe, removed, replaced

_ENV = 'in/env.yaml'
_case = rows(300001)


CASES: Tuple[Case, ...] = (
    _case('env.yaml is missing', removed(_ENV), '/in/env.yaml cannot be read', 'the platform writes it'),
    _case('env.yaml is a folder', folder(_ENV), '/in/env.yaml cannot be read', 'Is a directory'),
    _case('env.yaml is a pipe', pipe(_ENV), '/in/env.yaml cannot be read', 'not a regular file'),
    _case(
        'env.yaml has a million lines',
        more_lines(_ENV, *['# a comment'] * 10**6),
        '/in/env.yaml cannot be read',
        f'where {2**18} are the most',
    ),
    _case(
        'env.yaml has a key twice',
        more_lines(_ENV, 'run_training: true'),
        '/in/env.yaml:',
        "the key 'run_training' is there already, in line 2",
    ),
    _case('env.yaml is empty', content(_ENV, ''), '/in/env.yaml:1', 'key: value'),
    _case('env.yaml is not text', content(_ENV, b'task_id: \xff\xfe\n'), '/in/env.yaml', 'not UTF-8', 'byte 9'),
    _case(
        'env.yaml is not YAML',
        replaced(_ENV, 'run_mining: false', 'run_mining: [false'),
        '/in/env.yaml:',
        'not valid YAML',
    ),
    _case('env.yaml is a list', content(_ENV, '- task_id\n- run_training\n'), '/in/env.yaml:1', 'found list'),
    _case('env.yaml has no task_id', env({'task_id': REMOVED}), 'task_id must be a name', 'found None'),
    _case('task_id is a list', env({'task_id': ['a']}), '/in/env.yaml:', 'task_id', "['a']"),
    _case(
        'task_id is a date', replaced(_ENV, 'task_id: task-1', 'task_id: 2024-01-01'), '/in/env.yaml:1: task_id', 'date'
    ),
    _case('task_id is a book', env({'task_id': 'x' * 10**5}), '/in/env.yaml:', 'task_id', 'at most 200 characters'),
    _case('env.yaml has no input section', env({'input': REMOVED}), 'input must be a mapping', 'None'),
    _case('input is text', env({'input': '/in'}), '/in/env.yaml:', 'input must be a mapping', "'/in'"),
    _case('env.yaml has no output section', env({'output': REMOVED}), 'output must be a mapping'),
    _case(
        'env.yaml has no output.models_dir',
        env({'output.models_dir': REMOVED}),
        'output.models_dir must be a path such as /out/models',
        'found None',
    ),
    _case(
        'output.monitor_file is a number',
        env({'output.monitor_file': 7}),
        '/in/env.yaml:',
        'output.monitor_file must be a path such as /out/monitor.txt',
        'found 7',
    ),
    _case(
        'a path in env.yaml holds a character that no path may hold',
        env({'input.config_file': '{root}/in/config\0.yaml'}),
        '/in/env.yaml:',
        'input.config_file',
    ),
    _case(
        'run_training is neither true nor false',
        env({'run_training': 'maybe'}),
        '/in/env.yaml:',
        'run_training must be true or false',
        "found 'maybe'",
    ),
    _case(
        'no task is asked for',
        env({'run_training': False}),
        'none of run_training, run_mining and run_infer is true',
        'set the one to run',
    ),
    _case(
        'training together with mining',
        env({'run_mining': True}),
        '/in/env.yaml:',
        'training cannot be combined with mining',
    ),
    _case(
        'training together with inference',
        env({'run_training': True}),
        '/in/env.yaml:',
        'training cannot be combined with mining or inference',
        task=INFERENCE,
    ),
    _case(
        'protocol_version is no version',
        env({'protocol_version': 'latest'}),
        '/in/env.yaml:',
        'protocol_version must be a version such as 1.1.0',
        "'latest'",
    ),
    _case(
        'protocol_version has 5000 digits',
        env({'protocol_version': '9' * 5000}),
        '/in/env.yaml:',
        'protocol_version must be a version such as 1.1.0',
    ),
    _case(
        'env.yaml would make a Python object',
        replaced(_ENV, 'task_id: task-1', 'task_id: !!python/object/apply:os.system ["touch {root}/canary"]'),
        '/in/env.yaml:1',
        'not valid YAML',
        'python/object/apply:os.system',
    ),
    _case('env.yaml is nested without end', content(_ENV, 'task_id: ' + '[' * 5000), '/in/env.yaml', 'not valid'),
    _case(
        'env.yaml has an alias to nothing',
        replaced(_ENV, 'task_id: task-1', 'task_id: *name'),
        '/in/env.yaml:1',
        'undefined alias',
    ),
    _case(
        'env.yaml names no training index',
        env({'input.training_index_file': ''}),
        'input.training_index_file',
        'the platform writes it for a training',
    ),
    _case(
        'env.yaml names no validation index',
        env({'input.val_index_file': ''}),
        'input.val_index_file',
        'choose a validation set',
    ),
    _case(
        'env.yaml names no index of candidates',
        env({'input.candidate_index_file': ''}),
        'input.candidate_index_file',
        task=MINING,
    ),
)
