"""Whatever stands beside a key of env.yaml or config.yaml: a value of the documented type, or one sentence."""

from __future__ import annotations

import dataclasses
import random
import resource
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from demo.task_folder import write_config
from desk.task_folder import env_values
from executor.contract.config_yaml import read_job
from executor.contract.env import Env, InputPaths, OutputPaths, read_env
from executor.contract.errors import ConfigError, ModelError
from executor.contract.failure import failure_of
from executor.contract.options import TrainArgs
from executor.contract.params import InferParams, MiningParams, TrainParams
from tests.support.task_folder import TaskFolder

LONG = 10**5
# As they stand in the file, behind `key: `.
NUMBERS = """
    0 -1 1 2 1.5 -0.0 1e308 1.0e+308 -1.0e+308 .inf -.inf .nan nan inf 1:30 1:30.5 010 0x7fffffffffffffff 1_000 +1 1e400
    99999999999999999999 ² １２ 0b1 1. .5 '' ~ null true no on y 1,1 1,,1 1;1 NaN '1e308' "1\\0" "1\\ud800"
""".split()  # noqa: SIM905
OTHERS = [
    *('2024-01-01', '2024-01-01 10:00:00', '2024-99-99', '!!binary YWJj', '!!set {a, b}', '!!omap [a: 1]', '!!null x'),
    *('!!pairs [a: 1]', '!!bool perhaps', '!!int ""', '!!float x', '!!timestamp x', '!!str 1', '!!python/tuple [a]'),
    *(
        '[]',
        '{}',
        '[[]]',
        '[[a]]',
        '[null]',
        '[true]',
        '[1, 2]',
        '[a, a]',
        '[2024-01-01]',
        '[{a: 1}]',
        '{a: 1}',
        '[.nan]',
    ),
    *(
        '&x [*x]',
        '&x {a: *x}',
        '*nowhere',
        '"\\t"',
        '" "',
        '"a\\nb"',
        '"\\u200b"',
        "'['",
        "'\"'",
        '"(1,"',
        '{<<: {a: 1}}',
    ),
    *("'--seed ²'", "'--seed -1'", "'--resume'", "'--amp=1'", "'a=[1'", "'a.b=1e999'", "'train_cfg.val_interval=0'"),
    *(
        "'*'",
        "'a{99999999999}'",
        "'(?P<a>x)(?P<a>y)'",
        '/dev/zero',
        '../..',
        "'/'",
        '%',
        '@',
        '`',
        '- a',
        '? a',
        'a: b',
    ),
]
HUGE = [
    *('9' * 5000, f'-{"9" * LONG}', f'0x{"f" * LONG}', f'1{":59" * 30000}', f'0.{"0" * LONG}1', f'1e{"9" * LONG}'),
    *('x' * LONG, f'"{"x " * LONG}"', f'[{"a," * LONG}]', f'{{{",".join(f"a{n}: 1" for n in range(2000))}}}'),
    *('[' * 5000, '(' * LONG, f"'a={'[' * LONG}'", f"'{'a=1 ' * 20000}'", f"'{'--amp ' * 10000}'", f"'{'1,' * 30000}'"),
    *('!!set {' + ', '.join(f'a{n}' for n in range(2000)) + '}', f'!!binary {"YWJj" * 20000}', f'*{"a" * LONG}'),
]
# A few lines before the key, for a value that stands for 10^10 of something.
BOMBS = {
    '*l10': 'l0: &l0 [a]\n' + ''.join(f'l{n}: &l{n} [{", ".join([f"*l{n - 1}"] * 10)}]\n' for n in range(1, 11)),
    '*m10': 'm0: &m0 {a: 1}\n' + ''.join(f'm{n}: &m{n} {{a: *m{n - 1}, b: *m{n - 1}}}\n' for n in range(1, 41)),
}

PARAMS = {'training': TrainParams, 'mining': MiningParams, 'infer': InferParams}
GIVEN = ('class_names', 'gpu_id', 'gpu_count', 'object_type')
MODEL = {'training': 'pretrained_model_params', 'mining': 'model_params_path', 'infer': 'model_params_path'}
ROOM = 2**29  # bytes of memory


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """Let this process grow by half a gigabyte, and no more."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def values(seed: str) -> list[tuple[str, str]]:
    """Some of what to write, each with the lines before it."""
    rng = random.Random(seed)
    bomb = rng.choice(sorted(BOMBS))
    some = [*rng.sample(NUMBERS, 16), *rng.sample(OTHERS, 16), *rng.sample(HUGE, 2)]
    return [*((value, '') for value in some), (bomb, BOMBS[bomb])]


def is_of(value: object, kind: object) -> bool:
    """Whether a value is of an annotated type, and nothing that cannot be written down."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union:
        return any(is_of(value, one) for one in inner)
    if origin is tuple:
        of = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return type(value) is tuple and len(of) == len(value) and all(map(is_of, value, of))
    if kind is TrainArgs:
        return type(value) is TrainArgs and is_plain(dataclasses.asdict(value))
    if origin is dict:
        return type(value) is dict and is_plain(value)
    return isinstance(value, Path) if kind is Path else type(value) is kind and is_plain(value)


def is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    if isinstance(value, str):
        return len(value) <= 2**16 and value.encode('utf-8').decode('utf-8') == value
    return value is None or isinstance(value, bool) or (isinstance(value, (int, float)) and abs(value) < 4e38)


def check(path: Path, key: str, value: str, before: str, lines: dict[str, object], read, accepted) -> None:
    """Write the file with one value beside its key, and read it."""
    section, _, name = key.rpartition('.')
    rest = {k: v for k, v in (lines[section] if section else lines).items() if k != name}
    line = (
        f'{section}: {{{name}: {value}, {yaml.safe_dump(rest, default_flow_style=True)[1:]}'
        if section
        else f'{key}: {value}'
    )
    others = {k: v for k, v in lines.items() if k != (section or name)}
    path.write_text(f'{before}{line}\n{yaml.safe_dump(others)}', encoding='utf-8')
    place = f'{path}:{before.count(chr(10)) + 1}'
    given = f'{key}: {value[:100]}'
    try:
        found = read()
    except (ConfigError, ModelError) as error:
        message = failure_of(error).message
        told = message.replace(str(path.parent), '')
        assert 20 < len(told) < 500, f'{given}: {told}'
        assert message.startswith(str(path)), f'{given}: {told}'
        # But for what is no YAML, tasks that do not go together, and paths that are missing, the line is told.
        here = message.startswith(f'{place}: ') and key in told
        other = 'not valid YAML' in told or key.startswith('run_') or f'{key}.' in told
        assert here or other, f'{given}: {told}'
    else:
        assert accepted(found), f'{given}: {found}'


def fields_of(kind: type) -> dict[str, object]:
    return typing.get_type_hints(kind)


@pytest.mark.parametrize('task', PARAMS)
def test_values_of_config_yaml(ymir_task: TaskFolder, task: str) -> None:
    env = ymir_task.env(task)
    sound = yaml.safe_load(write_config(ymir_task.root).read_text())
    kinds = fields_of(PARAMS[task])

    def accepted(job: object) -> bool:
        params = getattr(job, task)
        return all(is_of(getattr(params, name), kind) for name, kind in kinds.items() if name != 'places')

    keys = [field.name for field in dataclasses.fields(PARAMS[task]) if 'parse' in field.metadata]
    for key in [*keys, *GIVEN, MODEL[task]]:
        lines = {**sound, 'gpu_count': 1} if key == 'gpu_id' else sound
        for value, before in values(f'{task} {key}'):
            check(ymir_task.config_file, key, value, before, lines, lambda: read_job(env), accepted)


def test_values_of_env_yaml(ymir_task: TaskFolder) -> None:
    sound = env_values(ymir_task.root)
    path = ymir_task.root / 'in' / 'env.yaml'

    def accepted(env: Env) -> bool:
        parts = ((env, Env), (env.input, InputPaths), (env.output, OutputPaths))
        return all(
            is_of(getattr(part, name), kind)
            for part, of in parts
            for name, kind in fields_of(of).items()
            if name not in ('input', 'output')
        )

    paths = [f'{section}.{name}' for section in ('input', 'output') for name in sound[section]]
    for key in ['task_id', 'protocol_version', 'run_training', 'run_mining', 'run_infer', 'input', 'output', *paths]:
        for value, before in values(f'env {key}'):
            check(path, key, value, before, sound, lambda: read_env(path), accepted)
