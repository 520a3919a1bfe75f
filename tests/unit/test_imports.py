"""The reader of imports that holds the rooms to their table."""

from __future__ import annotations

import pytest

from tests.unit.imports import imports_of, literals_of, uses_of


@pytest.mark.parametrize(
    'source, module, is_package, expected',
    [
        ('', 'a', False, []),
        ('import a.b, c as d', 'x', False, ['a.b', 'c']),
        ('from a.b import c as d, e', 'x', False, ['a.b.c', 'a.b.e']),
        ('from . import c\nfrom .d import e\nfrom ..f import g', 'x.y.z', False, ['x.y.c', 'x.y.d.e', 'x.f.g']),
        ('from . import c\nfrom .d import e', 'x.y', True, ['x.y.c', 'x.y.d.e']),
        ('def f():\n    import a\n    if 1:\n        from b import c', 'x', False, ['a inside', 'b.c inside']),
        ('class C:\n    import a\n    def f(self):\n        import b', 'x', False, ['a', 'b inside']),
        ('try:\n    import a\nexcept ImportError:\n    import b', 'x', False, ['a', 'b']),
        ('# import a\n"import b"', 'x', False, []),
    ],
)
def test_imports_are_found(source, module, is_package, expected):
    found = imports_of(source, module, is_package)
    assert [item.name if item.module_level else f'{item.name} inside' for item in found] == expected


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
