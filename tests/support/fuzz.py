"""Fuzz the reading of model packages: configs with parts of every registry and nasty values, under an audit hook.

    python -m tests.support.fuzz FOLDER CASES SEED

Each case is a sound config with a few changes: keys and types come from what mmengine, mmcv, mmdet and this project
have registered, values from lists of nasty ones. Each is read for a detection and for a training, and what comes of it
is built. Prints a JSON object: how the cases ended, and whatever the audit hook noted.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import inspect
import json
import logging
import math
import pickle
import random
import resource
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

import mmdet.registry
import mmengine.registry
import numpy as np
from mmdet.registry import DATASETS, HOOKS, MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import FUNCTIONS, Registry, init_default_scope

from demo import shapes
from executor.config import read
from executor.config.blame import config_to_blame
from executor.config.find import OUR_CONFIGS
from executor.config.our_data import outer_pipeline
from executor.config.overrides import set_classes, set_thresholds
from executor.config.patches import patch
from executor.config.plain import config_text
from executor.config.read import load_config
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.errors import ExecutorError
from executor.contract.params import InferParams, Job
from executor.detector.preparation import preparation_of
from executor.machine.memory import is_of_the_machine
from executor.models.families import register_parts
from executor.training.build_config import build_config
from executor.weights.choose import replace_downloads
from tests.support import mmdet2
from tests.support.watch import Allowed, watch

_MOST_CHANGES = 3
_MOST_SECONDS = 5  # for a case
_MOST_BYTES = 6 * 2**30
_SMALL = {'model.backbone.widen_factor': 0.125, 'model.neck.in_channels': [32, 64, 128], 'model.neck.out_channels': 32}
_HEAD = {'model.bbox_head.in_channels': 32, 'model.bbox_head.feat_channels': 32}
_PLAIN = [0, 1, 2, -1, 7, 0.5, 1e-5, 1e9, True, False, None, '', 'BN', 'pytorch', 'x-y', [], (1, 2), [0.1, 0.2], {}]
_IMAGE = np.zeros((48, 64, 3), np.uint8)

Place = Tuple[Any, Any]  # a dict or list, and a key of it


class Touch:
    """Pickled, a call that leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> Tuple[Any, ...]:
        return open, (str(self._trace), 'w')


def main(folder: Path, cases: int, seed: int) -> None:
    """Read so many packages; `folder` is for their files."""
    warnings.simplefilter('ignore')
    logging.disable(logging.CRITICAL)
    register_parts()
    patch()
    job = _task(folder / 'task')
    package, outside = folder / 'package', folder / 'outside'
    package.mkdir()
    nasty = Nasty(outside, random.Random(seed))
    sound = {package / 'config.py': _sound_config(package / 'config.py'), package / mmdet2.CONFIG: _former_config()}
    _base_is_read_once()
    # What is imported only when it is first used is imported now.
    for file, config in sound.items():
        _write(file, config)
        assert _read(file, job, set()) == 'read', f'the sound package with {file.name} cannot be read'
    noted: collections.Counter[str] = collections.Counter()
    case = -1
    watch(
        lambda what: noted.update([f'case {case}: {what}']),
        Allowed(
            readable=[folder / 'task', package],
            writable=[folder / 'task' / 'out', package],
            modules=('torch', 'mmdet', 'mmcv', 'mmengine', 'numpy', 'scipy', 'executor', 'encodings'),
            pickled=(),
        ),
    )
    # A package may ask for a model without end, which then is the machine's failure and not what is looked for here.
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    signal.signal(signal.SIGALRM, _too_slow)
    ends: collections.Counter[str] = collections.Counter()
    for case in range(cases):  # noqa: B007  (what is noted names it)
        file = package / (mmdet2.CONFIG if case % 4 == 0 else 'config.py')
        config = copy.deepcopy(sound[file])
        for _ in range(nasty.random.randint(1, _MOST_CHANGES)):
            nasty.change(config)
        changed = {key for key in config if config[key] != sound[file].get(key)}
        _write(file, config)
        signal.alarm(_MOST_SECONDS)
        ends[_read(file, job, changed)] += 1
        signal.alarm(0)
    traces = sorted(path.name for path in outside.glob('trace*'))
    print(json.dumps({'ends': ends, 'noted': sorted(noted), 'traces': traces}))


def _too_slow(signum: int, frame: Any) -> None:
    raise MemoryError('too slow')


def _task(root: Path) -> Job:
    values = {'samples_per_gpu': 1, 'workers_per_gpu': 0, 'max_epochs': 1, 'config_file': 'config.py'}
    return read_job(read_env(shapes.write_task(root, 1, 1, **values)))


def _sound_config(file: Path) -> Dict[str, Any]:
    """Write the config of a small YOLOX as a training leaves it; returns it as plain values."""
    config = load_config(shapes.CONFIG_FILE)
    config.merge_from_dict({**_SMALL, **_HEAD})
    file.write_text(config_text(config), encoding='utf-8')
    # Keys that our own lack, so that there is something to change.
    whole = {**load_config('config.py', [file]).to_dict(), 'default_scope': 'mmdet', 'work_dir': 'x', 'load_from': None}
    whole['train_dataloader']['collate_fn'] = {'type': 'pseudo_collate'}
    return whole


def _former_config() -> Dict[str, Any]:
    """The same as mmdet 2 writes it."""
    config = Config(mmdet2.nano_config(len(shapes.CLASS_NAMES), side=64))
    config.merge_from_dict({**_SMALL, **_HEAD})
    return {**config.to_dict(), 'gpu_ids': [0]}


def _base_is_read_once() -> None:
    """The base is a config of ours, which runs as the Python it is."""
    base = Config.fromfile(str(OUR_CONFIGS / 'yolox' / mmdet2.CONFIG))
    read._run = lambda path: copy.deepcopy(base)


def _write(file: Path, config: Dict[str, Any]) -> None:
    file.write_text(''.join(f'{key} = {_literal(value)}\n' for key, value in config.items()))


def _literal(value: Any) -> str:
    """Write a value as `read_plain_config` reads it."""
    if isinstance(value, dict):
        return '{' + ', '.join(f'{_literal(key)}: {_literal(item)}' for key, item in value.items()) + '}'
    if isinstance(value, list):
        return '[' + ', '.join(map(_literal, value)) + ']'
    if isinstance(value, tuple):
        return '(' + ''.join(f'{_literal(item)}, ' for item in value) + ')'
    return f'float({str(value)!r})' if isinstance(value, float) and not math.isfinite(value) else repr(value)


def _read(file: Path, job: Job, changed: Set[str]) -> str:
    """Read a package as inference and training do, and build what is new in it; returns how that ended."""
    end = 'refused'
    try:
        init_default_scope('mmdet')
        detection = load_config(file.name, [file])
        end = 'not built'
        with config_to_blame(detection, {}):
            _build_for_detection(detection, not changed or 'model' in changed)
        assert job.training is not None
        training = dataclasses.replace(job.training, model_files=(file,), config_file=file.name)
        config = build_config(job.env, training, train_images=1, ranks=1)
        with config_to_blame(config, {}):
            _build_for_training(config)
    except ExecutorError:
        return end
    except Exception as error:
        if is_of_the_machine(error):
            return 'too large'
        trace = traceback.extract_tb(error.__traceback__)[-1]
        return f'{type(error).__name__}: {error} ({trace.filename}:{trace.lineno})'
    return 'read'


def _build_for_detection(config: Any, with_model: bool) -> None:
    params = InferParams(shapes.CLASS_NAMES, (), ())
    set_classes(config, params.class_names)
    set_thresholds(config, params, 0.1, keep_own=False)
    replace_downloads(config['model'], will_load=True)
    if with_model:
        MODELS.build(config['model']).init_weights()
    pipeline = tuple(dict(transform) for transform in outer_pipeline(config['val_dataloader']['dataset']))
    preparation_of(pipeline)(_IMAGE)


def _build_for_training(config: Any) -> None:
    for name in ('train_dataloader', 'val_dataloader'):
        DATASETS.build(config[name]['dataset'])[0]
        collate = config[name].get('collate_fn')
        if collate is not None:
            FUNCTIONS.get(collate['type'])
    for hook in config.get('custom_hooks') or []:
        HOOKS.build({key: value for key, value in hook.items() if key != 'priority'})
    build_optim_wrapper(
        MODELS.build({'type': 'ConvModule', 'in_channels': 1, 'out_channels': 1, 'kernel_size': 1}),
        config['optim_wrapper'],
    )


class Nasty:
    """Draws changes: places of a config, parts of every registry, and values that would do harm where they are used."""

    def __init__(self, folder: Path, generator: Optional[random.Random] = None) -> None:
        self.random = generator or random.Random(0)
        self._values = _nasty_values(folder)
        self._fitting = _fitting_values(folder)
        self._keys_of = _registered()
        self._types = sorted(self._keys_of.items())
        self._keys = sorted({key for _, keys in self._types for key in keys})

    def change(self, config: Dict[str, Any]) -> None:
        """Change one place of a config."""
        places = list(_places(config))
        place, key = self.random.choice(places)
        kind = self.random.randrange(7)
        if kind in (0, 5, 6):
            place[key] = self._value(key)
        elif kind == 1:
            place[key] = self._part()
        elif kind == 2 and isinstance(place, list):
            place.insert(key, self._part())
        elif isinstance(place, dict):
            keys = self._keys_of.get(str(place.get('type'))) if self.random.random() < 0.7 else None
            key = self.random.choice(keys or self._keys)
            place[key] = self._value(key) if self.random.random() < 0.7 else self._part()
        else:
            place[key] = {'type': self.random.choice(self._types)[0], **_as_dict(place[key])}

    def fitting(self, key: str) -> List[Any]:
        """Find the values that would do harm under a key that names a file, a way to read one, or code."""
        return [value for word, value in self._fitting if word in key]

    def _value(self, key: object = '') -> Any:
        """Draw a value; for a key that names a file or a way to read one, often one that fits it."""
        fitting = self.fitting(str(key))
        if fitting and self.random.random() < 0.7:
            return copy.deepcopy(self.random.choice(fitting))
        values = self.random.choice([self._values, _PLAIN, _PLAIN])  # so that many a case comes to be built
        return copy.deepcopy(self.random.choice(values))

    def _part(self) -> Dict[str, Any]:
        """A part of any registry whose parameters are nasty."""
        name, keys = self.random.choice(self._types)
        chosen = self.random.sample(keys, min(len(keys), self.random.randint(0, 4)))
        chosen += [key for key in keys if any(word in key for word, _ in self._fitting) and self.random.random() < 0.5]
        scope = self.random.choice(['', '', '', 'mmdet.', 'mmcv.', 'mmengine.'])
        return {'type': scope + name, **{key: self._value(key) for key in chosen}}


def _as_dict(value: Any) -> Dict[str, Any]:
    return {key: item for key, item in value.items() if key != 'type'} if isinstance(value, dict) else {}


def _places(value: Any) -> Iterator[Place]:
    """Every place below a value."""
    if isinstance(value, (dict, list)):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from _places(item)


def _registered() -> Dict[str, List[str]]:
    """The parameters of whatever any registry has, by name."""
    found: Dict[str, List[str]] = {}
    for module in (mmengine.registry, mmdet.registry):
        for registry in vars(module).values():
            for name, part in registry.module_dict.items() if isinstance(registry, Registry) else ():
                found[name] = _names(part)
    return found


def parameters_of(part: Any) -> List[inspect.Parameter]:
    """List the parameters of a class's constructor, or of a function, but for *args and **kwargs."""
    try:
        # Of a generic class, Python 3.8 sees *args and **kwds alone.
        found = list(inspect.signature(part.__init__ if isinstance(part, type) else part).parameters.values())
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [parameter for parameter in found if parameter.kind in kinds and parameter.name != 'self']


def _names(part: Any) -> List[str]:
    """List the parameters of a part by name, those that it passes on as **kwargs, too."""
    return sorted({parameter.name for one in getattr(part, '__mro__', (part,)) for parameter in parameters_of(one)})


def _nasty_values(folder: Path) -> List[Any]:
    """Files with code in them, and words that would load or run something."""
    folder.mkdir()
    trace = folder / 'trace'
    code = f'open({str(trace)!r}, "w").close()'
    (folder / 'evil.py').write_text(f'{code}\nmodel = dict(type="YOLOX")\n')
    for name in ('evil_module', 'mc', 'petrel_client', 'lmdb'):  # the last three are what backends import
        (folder / f'{name}.py').write_text(f'{code}\n')
    (folder / 'evil.yaml').write_text(f'!!python/object/apply:builtins.open [{str(trace)!r}, w]\n')
    (folder / 'evil.json').write_text('{"a": 1}')
    for name in ('evil.pkl', 'evil.pth', 'evil.np', 'evil.npy'):
        (folder / name).write_bytes(pickle.dumps(Touch(trace)))
    files = [str(file) for file in sorted(folder.iterdir())]
    memcached = {'backend': 'memcached', 'sys_path': str(folder), 'server_list_cfg': 'x', 'client_cfg': 'x'}
    addresses = [
        'http://127.0.0.1:9/a.pth',
        's3://a/b',
        'torchvision://resnet50',
        'file:///etc/passwd',
        'open-mmlab://a',
    ]
    words = ['os.system', 'subprocess.Popen', 'evil_module', 'evil_module.Bird', 'antigravity', 'builtins.eval', 'eval']
    expressions = [code, f'__import__("os").system("touch {trace}")', 'exec', '{{ 1 }}', f'{{$ENV:{code}}}', '`id`']
    numbers = [0, -1, 2**31, 2**63, 10**30, 1e308, float('nan'), -0.0, True, None, 1e-320]
    nested: Any = 1
    for _ in range(30):
        nested = [nested]
    backends = [memcached, {**memcached, 'backend': 'lmdb', 'db_path': str(folder)}, {'backend': 'http'}]
    texts = ['', ' ', '.', '..', '/', '/dev/zero', '/proc/self/mem', '\udcff', 'a' * 5000, '\0', '../../x', '~/x']
    return [
        *(*files, *addresses, *words, *expressions, *numbers, *texts, *backends, nested),
        *({'type': 'Pretrained', 'checkpoint': file} for file in files),
        *({'model': {'type': 'YOLOX'}}, {'_delete_': True}, {'_base_': files[0]}, {'_scope_': 'evil_module'}),
        *([], {}, [None], [[]], {'type': None}, {'type': ['YOLOX']}, {1: 2}, (1, 2), [str(folder)]),
        {'imports': ['evil_module'], 'allow_failed_imports': False},
        {'type': 'os.system', 'cmd': ['touch', str(trace)]},
    ]


def _fitting_values(folder: Path) -> List[Tuple[str, Any]]:
    """Words of keys, and what would do harm there."""
    pickled = [str(folder / name) for name in ('evil.pkl', 'evil.yaml', 'evil.np')]
    weights = [str(folder / 'evil.pth'), 'http://127.0.0.1:9/evil.pth']
    more = {'server_list_cfg': 'x', 'client_cfg': 'x', 'sys_path': str(folder)}
    read = [{'backend': name, **more} for name in ('memcached', 'memcached', 'http')]
    return [
        *((word, value) for word in ('file', 'path', 'dir', 'prefix') for value in pickled),
        *((word, value) for word in ('checkpoint', 'ckpt', 'pretrained', 'weights') for value in weights),
        *((word, value) for word in ('backend_args', 'client_args') for value in read),
        *((word, str(folder / 'evil.py')) for word in ('config', 'cfg', 'name')),
        *(('type', value) for value in ('os.system', 'evil_module.Bird', 'subprocess.Popen')),
        *((word, f'open({str(folder / "trace")!r}, "w")') for word in ('mode', 'name', 'type')),
    ]


if __name__ == '__main__':
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
