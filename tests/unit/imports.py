"""Read the imports and strings of a file without running it."""

from __future__ import annotations

import ast
import importlib.util
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple


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
        if isinstance(node, ast.Attribute) and ast.unparse(node) == name:
            found.append(f'{node.lineno}: {name}')
    return found + [f'{line}: {text!r}' for line, text in literals_of(source) if name in text]


def below(name: str, room: str) -> bool:
    return name == room or name.startswith(room + '.')


def is_standard(name: str) -> bool:
    top = name.partition('.')[0]
    if hasattr(sys, 'stdlib_module_names'):  # since Python 3.10
        return top in sys.stdlib_module_names
    spec = importlib.util.find_spec(top)
    origin = Path(spec.origin) if spec and spec.origin else Path()
    library = Path(sysconfig.get_paths()['stdlib'])
    return top in sys.builtin_module_names or (library in origin.parents and 'site-packages' not in origin.parts)
