"""Try every way to a file or to code that mmengine, mmcv and mmdet have, after they were patched, under an audit hook.

    python -m tests.support.sinks FOLDER

Takes all handlers of files, all backends, and every registered part whose constructor has a parameter for a file, a
name or code, with such values as would do harm. Prints a JSON object: how many were tried, and what the audit hook
noted.
"""

from __future__ import annotations

import collections
import contextlib
import json
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple

import mmdet.registry
import mmengine
import mmengine.registry
from mmengine.config import Config
from mmengine.fileio import FileClient
from mmengine.registry import Registry, init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader

from executor.config import patches
from executor.models.families import register_parts
from tests.support.fuzz import Nasty, parameters_of
from tests.support.watch import Allowed, installed_modules, watch


def main(folder: Path) -> None:
    """Try them all; `folder` is for files with code in them."""
    warnings.simplefilter('ignore')
    logging.disable(logging.CRITICAL)
    patch, patches.patch = patches.patch, lambda: None  # which our dataset calls when it is imported
    register_parts()
    init_default_scope('mmdet')
    evil = folder / 'evil'
    os.chdir(str(folder))  # some parts write where they are
    os.environ['TMPDIR'] = tempfile.tempdir = str(folder)
    nasty = Nasty(evil)
    parts = list(_parts(nasty))
    if 'unpatched' not in sys.argv:
        patch()
    noted: collections.Counter[str] = collections.Counter()
    trying = ''
    watch(
        lambda what: noted.update([f'{trying}: {what}']),
        # To open such a file as data does no harm; configs cannot name it, which `tests.support.fuzz` looks at.
        Allowed(readable=[evil, Path('/etc')], writable=[folder], modules=installed_modules(), pickled=()),
    )
    tried: collections.Counter[str] = collections.Counter()
    for trying, attempt in [*_readers(evil), *parts]:
        tried[trying.partition(' ')[0]] += 1
        with contextlib.suppress(Exception, SystemExit), contextlib.redirect_stdout(sys.stderr):
            attempt()
    print(json.dumps({'tried': tried, 'noted': sorted(noted), 'traces': [path.name for path in evil.glob('trace*')]}))


def _readers(evil: Path) -> Iterator[Tuple[str, Callable[[], Any]]]:
    """The functions of mmengine that read a file, with each format and each backend that it has ever had."""
    for suffix in ('pkl', 'pickle', 'yaml', 'yml', 'json', 'py', 'pth', 'txt'):
        file = evil / f'evil.{suffix}'
        for given in ({}, {'file_format': suffix}, {'file_format': 'pkl'}, {'file_format': 'yaml'}):
            yield f'load {suffix}', lambda file=file, given=given: mmengine.load(str(file), **given)
        for read in (Config.fromfile, CheckpointLoader.load_checkpoint):
            yield f'read {suffix}', lambda file=file, read=read: read(str(file))
        text = file.read_text('latin-1') if file.is_file() else ''
        yield f'read {suffix}', lambda text=text, suffix=suffix: Config.fromstring(text, f'.{suffix}')
    for name in ('memcached', 'petrel', 'lmdb', 'http', 'disk', 'local'):
        memcached = {'sys_path': str(evil), 'server_list_cfg': 'x', 'client_cfg': 'x'}
        for some in ({}, memcached, {'db_path': str(evil)}, {'path_mapping': {'a': str(evil)}}):
            given = {'backend': name, **some}
            yield f'backend {name}', lambda given=given: mmengine.fileio.get('http://127.0.0.1:9/a', backend_args=given)
            yield f'backend {name}', lambda given=given: FileClient(**given).get('http://127.0.0.1:9/a')
    for scheme in (
        *CheckpointLoader._schemes,
        'http://',
        'https://',
        's3://',
        'petrel://',
        'torchvision://',
        'pavi://',
    ):
        address = f'{scheme}127.0.0.1:9/a.pth'
        yield f'address {scheme}', lambda address=address: CheckpointLoader.load_checkpoint(address)
        yield f'address {scheme}', lambda address=address: mmengine.fileio.get(address)


def _parts(nasty: Nasty) -> Iterator[Tuple[str, Callable[[], Any]]]:
    """Every registered part with a parameter that may name a file or code."""
    for module in (mmengine.registry, mmdet.registry):
        for registry in [value for value in vars(module).values() if isinstance(value, Registry)]:
            for name, part in list(registry.module_dict.items()):
                for given in _given(part, nasty):
                    yield f'{registry.name} {name}({", ".join(given)})', _building(registry, name, given)


def _given(part: Any, nasty: Nasty) -> Iterator[Dict[str, Any]]:
    """Arguments for a part: those that it must have, and one after the other those that may name something."""
    named = parameters_of(part)
    must = {p.name: next(iter(nasty.fitting(p.name)), 1) for p in named if p.default is p.empty}
    for parameter in named:
        for value in nasty.fitting(parameter.name):
            yield {**must, parameter.name: value}


def _building(registry: Registry, name: str, given: Dict[str, Any]) -> Callable[[], Any]:
    def build() -> None:
        built = registry.build({'type': name, **given})
        for method in ('full_init', 'init_weights', 'before_run', 'load_data_list'):
            if hasattr(built, method):
                with contextlib.suppress(Exception):
                    getattr(built, method)()
        built({'img_path': '/etc/passwd', 'ann_file': '/etc/passwd'})

    return build


if __name__ == '__main__':
    main(Path(sys.argv[1]))
