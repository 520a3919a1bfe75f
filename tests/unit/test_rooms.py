"""The rooms of the code and what each may import: one table, by default nothing, held by reading every file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.imports import Import, below, imports_of, is_standard, literals_of, uses_of

graphlib = pytest.importorskip('graphlib')  # from Python 3.9 on

REPOSITORY = Path(__file__).resolve().parents[2]

# A row for each room: a folder with all below it that has no row of its own, or a file. Beside itself and the standard
# library a room may import what its row lists, and nothing else; a name stands for all below it.
ROOMS = {
    # the task, from its entry to its ranks
    'start.py': (
        'executor.contract executor.config.find executor.config.known_models executor.log executor.machine.limits '
        'executor.process.explain executor.process.node executor.process.parent executor.process.termination '
        'executor.training.smaller_batch'
    ),
    'executor/process': (
        'executor.contract executor.detection.detect executor.dist executor.log executor.machine '
        'executor.training.train torch'
    ),
    # the two tasks
    'executor/detection': (
        'executor.contract executor.detections executor.detector executor.dist executor.images executor.log '
        'executor.machine executor.report mining.base mining.catalog mining.class_weights mining.diversity numpy torch'
    ),
    'executor/training': (
        'executor.config executor.contract executor.detections executor.detector executor.dist executor.evaluation '
        'executor.images '
        'executor.log executor.machine executor.models.families executor.report executor.survey '
        'executor.weights cv2 mmcv mmdet mmengine numpy torch'
    ),
    'executor/training/augment': 'executor.contract.errors executor.images cv2 mmcv mmdet mmengine numpy torch',
    'executor/training/smaller_batch.py': 'executor.contract',
    # what they are made of
    'executor/detector': (
        'executor.config executor.contract executor.detections executor.images.prepare executor.log executor.models '
        'executor.network executor.weights mmcv mmdet mmengine numpy torch'
    ),
    'executor/report': (
        'executor.contract executor.detections executor.evaluation executor.images.decode executor.images.look '
        'executor.survey mining.base mining.diversity PIL cv2 jinja2 matplotlib numpy tensorboard terminaltables'
    ),
    'executor/survey': 'numpy',
    'executor/evaluation': 'executor.detections numpy pycocotools',
    'executor/config': (
        'executor.contract executor.machine executor.models.families executor.models.held executor.weights '
        'mmcv mmdet mmengine numpy'
    ),
    'executor/config/find.py': 'executor.config.names executor.contract',
    'executor/config/known_models.py': 'executor.config.find executor.weights.image',
    'executor/config/names.py': '',
    'executor/weights': 'executor.contract executor.models.families executor.models.held torch',
    'executor/weights/image.py': '',
    'executor/models': (
        'executor.detections executor.images.prepare executor.network.dense mmcv mmdet mmengine numpy torch'
    ),
    'executor/network': 'mmcv numpy onnxruntime torch',
    'executor/images': 'executor.contract executor.log executor.machine PIL cv2 numpy',
    # leaves
    'executor/contract': 'mining.catalog yaml',
    'executor/machine': 'executor.contract.errors executor.contract.shown torch',
    'executor/detections.py': 'numpy torch',
    'executor/dist.py': 'torch',
    'executor/log.py': '',
    'executor/__init__.py': '',
    # stand aside: what runs tasks on drawn shapes
    'demo': 'desk executor.contract cv2 numpy yaml',
    'proof': (
        'demo.shapes desk.task_folder desk.weights executor.contract executor.detection executor.detections '
        'executor.detector executor.evaluation executor.images executor.log executor.machine '
        'executor.network executor.training mining.catalog cv2 mmcv mmdet numpy torch yaml'
    ),
    'proof/stand_ins': 'torch',
    # at a user's desk, without the platform
    'desk': (
        'executor.config executor.contract executor.detections executor.detector.model executor.evaluation '
        'executor.images.decode executor.log executor.machine executor.models.families executor.process.explain '
        'executor.report executor.training executor.weights mining.catalog mmdet mmengine numpy terminaltables torch '
        'yaml'
    ),
    'desk/simulate': (
        'desk.check desk.progress desk.run desk.settings desk.tables desk.task_folder desk.usage desk.weights '
        'executor.config.find executor.contract executor.images.decode executor.images.look executor.machine.cores '
        'executor.report mining.catalog mining.diversity numpy yaml'
    ),
    'desk/layouts': 'desk.usage executor.contract',
    'desk/task_folder.py': 'yaml',
    # the algorithms
    'mining': 'executor.detections numpy',
    'mining/catalog.py': 'mining.base',
    'mining/views.py': 'executor.detections mining.base cv2 numpy',
    'mining/aldd': 'executor.detections mining.base mining.catalog numpy torch',
}

# Files that are imported before the contract is checked, or that a scorer must not need, and what they must not import.
HEAVY = 'torch mmdet mmengine cv2 numpy'
LIGHT = {
    'desk/__main__.py': HEAVY,
    'executor/config/find.py': HEAVY,
    'executor/contract/inputs.py': HEAVY,
    'executor/contract/params.py': HEAVY,
    'executor/process/node.py': HEAVY,
    'executor/process/parent.py': HEAVY,
    'executor/training/smaller_batch.py': HEAVY,
    'executor/weights/image.py': HEAVY,
    'mining/catalog.py': HEAVY,
    'mining/random.py': 'torch mmdet mmengine cv2',
    'proof/__main__.py': HEAVY,
    'start.py': HEAVY,
}
# Starting the ranks is their launcher's business, talking between them is dist.py's alone.
MORE_OF_DISTRIBUTED = {
    # the launcher, and its logger's name, to keep it quiet
    'executor/process/ranks.py': ('torch.distributed.launcher', 'torch.distributed.elastic'),
    'executor/process/companions.py': ('torch.distributed.TCPStore', 'torch.distributed.elastic'),
}
OUTSIDE_OF_A_SCORER = ('os', 'io', 'pathlib', 'subprocess', 'multiprocessing', 'threading', 'concurrent', 'time')


def code_files() -> list[str]:
    """Everything that runs in the image, and the demo, by its path below the repository."""
    found = [REPOSITORY / 'start.py']
    for folder in ('demo', 'desk', 'executor', 'mining', 'proof'):
        found += (REPOSITORY / folder).glob('**/*.py')
    return sorted(path.relative_to(REPOSITORY).as_posix() for path in found)


def source_of(file: str) -> str:
    return (REPOSITORY / file).read_text(encoding='utf-8')


def module_of(file: str) -> str:
    return file[: -len('.py')].replace('/', '.').removesuffix('.__init__')


def room_of(file: str) -> str:
    """The row that a file falls under, the longest that fits; nothing for a file in no row."""
    fitting = [room for room in ROOMS if file == room or file.startswith(room + '/')]
    return max(fitting, key=len, default='')


def name_of(room: str) -> str:
    return room.removesuffix('.py').replace('/', '.')


def imports_in(file: str, source: str | None = None) -> list[Import]:
    source = source_of(file) if source is None else source
    return imports_of(source, module_of(file), is_package=file.endswith('__init__.py'))


def violations(file: str, source: str | None = None) -> list[str]:
    """`line: module` of each import that the row of a file does not allow."""
    room = room_of(file)
    allowed = [*ROOMS[room].split(), name_of(room)]
    return [
        f'{item.line}: {item.name}'
        for item in imports_in(file, source)
        if not is_standard(item.name) and not any(below(item.name, name) for name in allowed)
    ]


@pytest.mark.parametrize('file', code_files())
def test_a_file_imports_what_its_room_may(file):
    assert room_of(file), f'{file} lies in no room of the table: give it a row, or put it where it belongs'
    assert violations(file) == []


def test_every_row_is_about_something_that_is_there():
    assert [room for room in ROOMS if not (REPOSITORY / room).exists()] == []


def test_every_row_is_needed():
    """What no file of a room imports does not stand in its row."""
    idle = []
    for room, names in ROOMS.items():
        imported = [item.name for file in code_files() if room_of(file) == room for item in imports_in(file)]
        idle += [f'{room}: {name}' for name in names.split() if not any(below(item, name) for item in imported)]
    assert idle == []


def test_arrows_go_one_way():
    """Of two rooms of the table at most one may import the other, also by way of others."""
    rooms = {name_of(room): names.split() for room, names in ROOMS.items()}
    graph = {}
    for room, names in rooms.items():
        # A name is of the smallest room that it lies in, and stands for the rooms below it.
        around = [max((other for other in rooms if below(name, other)), key=len, default=room) for name in names]
        inside = [other for name in names for other in rooms if below(other, name)]
        graph[room] = {*around, *inside} - {room}
    graphlib.TopologicalSorter(graph).prepare()  # raises a CycleError that shows the rooms


@pytest.mark.parametrize(
    'file, source, expected',
    [
        ('executor/contract/new.py', 'import os.path, yaml\nfrom executor.contract import parsers', []),
        ('executor/contract/new.py', 'import numpy', ['1: numpy']),
        ('executor/contract/new.py', 'import yamllint', ['1: yamllint']),
        ('executor/contract/new.py', 'from executor import contract, dist', ['1: executor.dist']),
        ('executor/contract/new.py', 'def f():\n    import torch', ['2: torch']),
        ('executor/contract/new.py', 'from mining import base', ['1: mining.base']),
        ('start.py', 'import yaml\nfrom executor.training import train', ['1: yaml', '2: executor.training.train']),
        ('start.py', 'from executor.training.smaller_batch import with_half_the_batch', []),
        ('executor/config/find.py', 'def f():\n    import mmdet', ['2: mmdet']),
        ('executor/config/read.py', 'import mmengine', []),
        ('executor/report/new.py', 'import torchvision', ['1: torchvision']),
        ('executor/report/new.py', 'import cv2\nfrom executor import dist', ['2: executor.dist']),
        ('executor/detector/new.py', 'from executor.detection import sweep', ['1: executor.detection.sweep']),
        ('executor/log.py', 'import logging\nimport numpy', ['2: numpy']),
        ('mining/new.py', 'import mmdet', ['1: mmdet']),
        ('mining/new.py', 'import numpy\nfrom mining.base import View\nfrom executor.detections import Detections', []),
        ('mining/new.py', 'import torch', ['1: torch']),
        ('mining/aldd/new.py', 'import torch', []),
        ('executor/images/new.py', 'import cv2\nfrom mmengine.fileio import get', ['2: mmengine.fileio.get']),
    ],
)
def test_the_table_finds_what_it_forbids(file, source, expected):
    assert violations(file, source) == expected


@pytest.mark.parametrize('file', ['executor/new/file.py', 'executor/new.py', 'elsewhere.py'])
def test_a_file_in_no_row_is_found(file):
    assert room_of(file) == ''


# --- single rules ---------------------------------------------------------------------------------------------------


def test_a_scorer_touches_no_file_no_process_and_no_clock():
    bad = [
        f'{file}:{item.line}: {item.name}'
        for file in code_files()
        if file.startswith('mining/')
        for item in imports_in(file)
        if item.name.partition('.')[0] in OUTSIDE_OF_A_SCORER
    ]
    assert bad == []


def test_only_dist_names_torch_distributed():
    bad = []
    for file in code_files():
        if file == 'executor/dist.py':
            continue
        uses = uses_of(source_of(file), 'torch.distributed')
        allowed = MORE_OF_DISTRIBUTED.get(file, ())
        bad += [f'{file}:{use}' for use in uses if not use.partition(': ')[2].strip("'").startswith(allowed)]
    assert bad == []


def test_only_output_writes_what_the_platform_reads():
    """env.py says where these files usually lie; no other file under executor/ names them."""
    bad = []
    for file in code_files():
        if file.startswith('executor/contract/output/') or file in ('executor/contract/env.py', *LOCAL_FILES):
            continue
        for line, text in literals_of(source_of(file)):
            if re.search(r'(^|/)(result\.yaml|monitor\.txt|infer-result\.json|result\.tsv)$', text):
                bad.append(f'{file}:{line}: {text!r}')
    assert bad == []


# They write env.yaml, which says where these files are, and show them to people.
LOCAL_FILES = ('demo/__main__.py', 'desk/results.py', 'desk/task_folder.py', 'desk/weights.py')


def test_mmengine_and_mmdet_are_patched_in_one_file():
    """Assignments to what was imported from them, such as `mmengine.runner.runner.collect_env = dict`."""
    bad = set()
    for file in code_files():
        assignments = [node for node in ast.walk(ast.parse(source_of(file))) if isinstance(node, ast.Assign)]
        for target in (target for node in assignments for target in node.targets):
            if isinstance(target, ast.Attribute) and re.match(r'(mmengine|mmdet|mmcv)\b', ast.unparse(target)):
                bad.add(file)
    assert bad <= {'executor/config/patches.py'}


@pytest.mark.parametrize('file, heavy', LIGHT.items())
def test_nothing_heavy_is_imported_by_what_is_light(file, heavy):
    module = module_of(file)
    code = f'import sys, {module}; print({module}.__name__, [name for name in {heavy.split()} if name in sys.modules])'
    run = subprocess.run([sys.executable, '-c', code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, f'{module} []\n', '')
