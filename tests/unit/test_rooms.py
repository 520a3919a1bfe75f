"""The rooms of the code and what each may import, held by reading the imports of every file."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ('torch', 'mmdet', 'mmengine', 'cv2', 'numpy')


class Rule(NamedTuple):
    """`only`: nothing else than these and the standard library; `never`: none of these. None: not limited."""

    files: str
    only: tuple[str, ...] | None = None
    never: tuple[str, ...] = ()
    module_level: bool = False  # imports inside functions do not count


RULES = [
    Rule('executor/contract/**/*.py', only=('yaml', 'executor.contract', 'mining.catalog')),
    Rule('start.py', only=('executor.contract', 'executor.config.find', 'executor.process.parent', 'executor.log')),
    Rule('executor/config_files.py', only=('executor.contract',)),
    Rule('executor/launch.py', only=('executor.contract', 'executor.log', 'executor.process.temporary_folder'), module_level=True),
    Rule('executor/report/**/*.py', never=('torch', 'mmdet', 'mmengine', 'executor.dist')),
    Rule('executor/mm/**/*.py', never=('executor.dist', 'mining')),
    Rule('executor/images.py', never=('torch', 'mmdet', 'mmengine', 'executor.dist')),
    Rule('executor/dist.py', never=('executor', 'mmdet', 'mmengine', 'mining')),
    Rule('executor/train.py', never=('executor.detection.infer', 'executor.detection.mine', 'mining')),
    Rule('executor/detections.py', only=('numpy',)),
    Rule('executor/detector/**/*.py', never=('executor.contract.output', 'executor.dist', 'mining')),
    Rule('executor/loader.py', never=('torch', 'mmdet', 'mmengine', 'mining')),
    Rule('executor/sweep.py', never=('mmdet', 'mmengine', 'mining')),
    Rule('executor/infer.py', never=('mmdet', 'mmengine', 'mining', 'executor.detection.mine', 'executor.training.train')),
    Rule('executor/mine.py', never=('mmdet', 'mmengine', 'executor.detection.infer', 'executor.training.train')),
    Rule('mining/base.py', only=('numpy', 'executor.detections')),
    Rule('mining/random_score.py', only=('numpy', 'mining.base')),
    Rule('mining/entropy.py', only=('numpy', 'mining.base')),
    Rule('mining/augment.py', only=('numpy', 'cv2', 'mining.base', 'executor.detections')),
    Rule('mining/cald.py', only=('numpy', 'mining.base', 'mining.views', 'executor.detections')),
    Rule('mining/aldd*.py', only=('numpy', 'torch', 'mining', 'executor.detections')),
]

# Starting the ranks is the worker's business, talking between them is not.
ELASTIC_LAUNCHER = ('torch.distributed.launcher', 'torch.distributed.elastic', 'torch.distributed.run')


# --- reading a file -------------------------------------------------------------------------------------------------


class Import(NamedTuple):
    name: str  # with the name taken out of the module: `from a import b` is a.b
    line: int
    module_level: bool


def imports_of(source: str, module: str = '', is_package: bool = False) -> list[Import]:
    """Every import of a file, relative ones made absolute."""
    parents = module.split('.') if is_package else module.split('.')[:-1]
    found = []

    def visit(node: ast.AST, module_level: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, module_level) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            for alias in node.names:
                name = '.'.join([*base, *filter(None, [node.module]), alias.name])
                found.append(Import(name, node.lineno, module_level))
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, module_level and not inside)

    visit(ast.parse(source), True)
    return found


def literals_of(source: str) -> list[tuple[int, str]]:
    """Line and text of every string that is not a docstring, parts of f-strings included."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


def uses_of(source: str, name: str) -> list[str]:
    """Where code names a dotted module, in imports, as attributes or in strings: `line: text` for each."""
    found = [f'{item.line}: {item.name}' for item in imports_of(source) if below(item.name, name)]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and dotted(node) == name:
            found.append(f'{node.lineno}: {name}')
    return found + [f'{line}: {text!r}' for line, text in literals_of(source) if name in text]


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f'{dotted(node.value)}.{node.attr}'
    return node.id if isinstance(node, ast.Name) else ''


def below(name: str, room: str) -> bool:
    return name == room or name.startswith(room + '.')


def is_standard(name: str) -> bool:
    top = name.partition('.')[0]
    if hasattr(sys, 'stdlib_module_names'):  # since Python 3.10
        return top in sys.stdlib_module_names
    if top in sys.builtin_module_names:
        return True
    spec = importlib.util.find_spec(top)
    origin = Path(spec.origin) if spec and spec.origin else Path()
    library = Path(sysconfig.get_paths()['stdlib'])
    return library in origin.parents and 'site-packages' not in origin.parts


def violations(rule: Rule, source: str, module: str = '', is_package: bool = False) -> list[str]:
    """`line: module` of each import that the rule does not allow."""
    bad = []
    for item in imports_of(source, module, is_package):
        if rule.module_level and not item.module_level:
            continue
        allowed = rule.only is None or is_standard(item.name) or any(below(item.name, room) for room in rule.only)
        if not allowed or any(below(item.name, room) for room in rule.never):
            bad.append(f'{item.line}: {item.name}')
    return bad


def module_of(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def code_files() -> list[Path]:
    """Everything that runs in the image."""
    found = [*REPOSITORY.glob('executor/**/*.py'), *REPOSITORY.glob('mining/**/*.py'), *REPOSITORY.glob('start.py')]
    return sorted(found)


def place(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


# --- the table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('rule', RULES, ids=lambda rule: rule.files)
def test_a_room_imports_what_it_may(rule):
    bad = [
        f'{place(path)}:{line}'
        for path in sorted(REPOSITORY.glob(rule.files))
        for line in violations(rule, path.read_text(encoding='utf-8'), module_of(path), path.name == '__init__.py')
    ]
    assert bad == []


def test_a_scorer_touches_no_file_no_process_and_no_clock():
    forbidden = ('os', 'io', 'pathlib', 'subprocess', 'multiprocessing', 'threading', 'concurrent', 'time', 'datetime')
    bad = [
        f'{place(path)}:{item.line}: {item.name}'
        for path in sorted(REPOSITORY.glob('mining/*.py'))
        for item in imports_of(path.read_text(encoding='utf-8'), module_of(path))
        if item.name.partition('.')[0] in forbidden
    ]
    assert bad == []


def test_only_dist_names_torch_distributed():
    bad = []
    for path in code_files():
        if place(path) == 'executor/dist.py':
            continue
        source = path.read_text(encoding='utf-8')
        if place(path) == 'executor/worker.py':
            launcher = [item for item in imports_of(source) if any(below(item.name, name) for name in ELASTIC_LAUNCHER)]
            allowed = {f'{item.line}: {item.name}' for item in launcher}
            # Its logger's name, to keep it quiet.
            allowed |= {
                use for use in uses_of(source, 'torch.distributed') if use.endswith(": 'torch.distributed.elastic'")
            }
        else:
            allowed = set()
        bad += [f'{place(path)}:{use}' for use in uses_of(source, 'torch.distributed') if use not in allowed]
    assert bad == []


def test_only_output_writes_what_the_platform_reads():
    """env.py says where these files usually lie; no other file under executor/ names them."""
    bad = []
    for path in REPOSITORY.glob('executor/**/*.py'):
        if place(path).startswith('executor/contract/output/') or place(path) == 'executor/contract/env.py':
            continue
        for line, text in literals_of(path.read_text(encoding='utf-8')):
            if re.search(r'(^|/)(result\.yaml|monitor\.txt|infer-result\.json|result\.tsv)$', text):
                bad.append(f'{place(path)}:{line}: {text!r}')
    assert bad == []


LIGHT_FILES = [
    name
    for name in ('executor/config_files.py', 'executor/contract/params.py', 'executor/launch.py', 'start.py')
    if (REPOSITORY / name).exists()
]


@pytest.mark.parametrize('file', LIGHT_FILES)
def test_nothing_heavy_is_imported_before_the_contract_is_checked(file):
    module = module_of(REPOSITORY / file)
    code = f'import sys, {module}; print({module}.__name__, [name for name in {HEAVY} if name in sys.modules])'
    run = subprocess.run([sys.executable, '-c', code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, f'{module} []\n', '')


def test_the_table_is_about_files_that_are_there():
    names = [place(path) for path in code_files()]
    assert {'executor/contract/params.py', 'executor/contract/annotations/voc.py', 'executor/images.py'} <= set(names)
    assert 'executor/contract/params.py' in LIGHT_FILES


# --- the reader itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'source, module, is_package, expected',
    [
        ('', 'a', False, []),
        ('import a.b, c as d', 'x', False, [('a.b', True), ('c', True)]),
        ('from a.b import c as d, e', 'x', False, [('a.b.c', True), ('a.b.e', True)]),
        (
            'from . import c\nfrom .d import e\nfrom ..f import g',
            'x.y.z',
            False,
            [('x.y.c', True), ('x.y.d.e', True), ('x.f.g', True)],
        ),
        ('from . import c\nfrom .d import e', 'x.y', True, [('x.y.c', True), ('x.y.d.e', True)]),
        ('def f():\n    import a\n    if 1:\n        from b import c', 'x', False, [('a', False), ('b.c', False)]),
        ('class C:\n    import a\n    def f(self):\n        import b', 'x', False, [('a', True), ('b', False)]),
        ('try:\n    import a\nexcept ImportError:\n    import b', 'x', False, [('a', True), ('b', True)]),
        ('# import a\n"import b"', 'x', False, []),
    ],
)
def test_imports_are_found(source, module, is_package, expected):
    assert [(item.name, item.module_level) for item in imports_of(source, module, is_package)] == expected


CONTRACT, START, CONFIG_FILES, LAUNCH, REPORT, MM, IMAGES = RULES[:7]


@pytest.mark.parametrize(
    'rule, source, expected',
    [
        (CONTRACT, 'import os.path, yaml\nfrom executor.contract import parsers', []),
        (CONTRACT, 'import numpy', ['1: numpy']),
        (CONTRACT, 'import yamllint', ['1: yamllint']),
        (CONTRACT, 'from executor import contract, dist', ['1: executor.dist']),
        (CONTRACT, 'def f():\n    import torch', ['2: torch']),
        (START, 'import sys\nfrom executor.process.parent import run\nfrom executor.log import set_up', []),
        (START, 'import yaml\nfrom executor.training.train import train', ['1: yaml', '2: executor.training.train.train']),
        (CONFIG_FILES, 'import importlib.util\nfrom executor.contract.params import Job', []),
        (CONFIG_FILES, 'def f():\n    import mmdet', ['2: mmdet']),
        (CONFIG_FILES, 'from executor.mm import config', ['1: executor.training.build_config']),
        (LAUNCH, 'def f():\n    from executor.process.worker import work', []),
        (LAUNCH, 'from executor.process.worker import work', ['1: executor.process.worker.work']),
        (REPORT, 'import numpy\nfrom executor.images.decode import read_image', []),
        (REPORT, 'import torchvision\nfrom executor import dist', ['2: executor.dist']),
        (REPORT, 'def f():\n    import torch.nn', ['2: torch.nn']),
        (MM, 'import torch, mmdet', []),
        (MM, 'from mining.cald import Cald\nimport executor.dist', ['1: mining.cald.Cald', '2: executor.dist']),
        (IMAGES, 'import cv2\nfrom mmengine.fileio import get', ['2: mmengine.fileio.get']),
    ],
)
def test_the_rules_find_what_they_forbid(rule, source, expected):
    assert violations(rule, source) == expected


@pytest.mark.parametrize(
    'source, expected',
    [
        ('"""Not torch.distributed."""\nimport torch  # torch.distributed', []),
        ('import torch.distributed', ['1: torch.distributed']),
        ('from torch import distributed as dist', ['1: torch.distributed']),
        ('import torch\ntorch.distributed.barrier()', ['2: torch.distributed']),
        ('import importlib\nimportlib.import_module("torch.distributed")', ["2: 'torch.distributed'"]),
    ],
)
def test_uses_of_a_module_are_found(source, expected):
    assert uses_of(source, 'torch.distributed') == expected


@pytest.mark.parametrize(
    'source, expected',
    [
        ('"""result.yaml"""\ndef f():\n    """monitor.txt"""', []),
        ('a = "result.yaml"', ['result.yaml']),
        ('def f(d):\n    return f"{d}/result.yaml"', ['/result.yaml']),
    ],
)
def test_strings_are_found(source, expected):
    assert [text for _, text in literals_of(source)] == expected
