"""Read and write configs of the plain form, `name = literal` lines, which hold data alone."""

from __future__ import annotations

import ast
import functools
import math
import pprint
from pathlib import Path
from typing import Any, Dict, Mapping

from executor.contract.errors import ModelError
from executor.contract.regular_file import read_regular

_MOST_BYTES = 2**21  # Python's parser takes 500 times as much memory; with a thousand classes it is a tenth of this
_MOST_GPUS = 1000  # which mmdet 2 writes as a range, and nothing else

ConfigDict = Dict[str, Any]  # a config or a part of one: dicts, lists, tuples, text, numbers and None, nested

# What a model package carries: everything a later task needs, nothing that only helped to write the config.
SAVED_KEYS = (
    *('default_scope', 'find_unused_parameters', 'model', 'train_dataloader', 'val_dataloader', 'test_dataloader'),
    *('train_cfg', 'val_cfg', 'test_cfg', 'val_evaluator', 'test_evaluator'),
    *('optim_wrapper', 'auto_scale_lr', 'param_scheduler', 'custom_hooks', 'fine_tuning', 'published_schedule'),
)


def read_plain_config(path: Path) -> ConfigDict:
    """Read a config that consists of `name = literal` lines, without running it.

    Raises:
        ModelError: see `plain_config`, or the file cannot be read.
    """
    try:
        text = read_regular(path, _MOST_BYTES).decode('utf-8')
    except (OSError, ValueError) as error:
        raise _no_config(path, error)
    return plain_config(text, path)


def plain_config(text: str, path: Path) -> ConfigDict:
    """Read the text of a config as `read_plain_config` does its file.

    Literals are Python's, and `dict(key=literal)`, the form in which mmengine and mmcv dump a config.

    Raises:
        ModelError: with `path` and line, where something else than a plain assignment is found.
    """
    try:
        if len(text) > _MOST_BYTES:
            raise ValueError(f'{len(text)} characters, where {_MOST_BYTES} are the most')
        tree = ast.parse(text)
    # MemoryError: of Python's parser, where brackets or signs are nested without end.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _no_config(path, error)
    values: ConfigDict = {}
    for statement in tree.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        target = targets[0] if len(targets) == 1 else None
        if not isinstance(target, ast.Name) or not isinstance(statement, ast.Assign):
            raise _not_plain(path, statement)
        try:
            values[target.id] = _literal(statement.value, path)
        except (TypeError, ValueError, RecursionError) as error:  # a list as a key, a word as a float
            raise ModelError(
                f'{path}:{statement.lineno}: {target.id} is no value that a config can have ({error}): use the config '
                'that the training wrote'
            )
    return values


def _no_config(path: Path, error: BaseException) -> ModelError:
    line, reason = getattr(error, 'lineno', None) or 1, str(error) or 'nested too deeply'
    return ModelError(f'{path}:{line}: not a config file ({reason}): use the config that the training wrote')


def _literal(node: ast.expr, path: Path) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple(_literal(item, path) for item in node.elts)
    if isinstance(node, ast.List):
        return [_literal(item, path) for item in node.elts]
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_literal(key, path): _literal(value, path) for key, value in zip(filter(None, node.keys), node.values)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand, path)
        if isinstance(value, (int, float)):
            return -value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == 'dict' and not node.args and all(keyword.arg for keyword in node.keywords):
            return {keyword.arg: _literal(keyword.value, path) for keyword in node.keywords}
        if node.func.id == 'range' and not node.keywords:
            return tuple(range(*(_literal(number, path) for number in node.args))[:_MOST_GPUS])
        # Infinity has no literal.
        if node.func.id == 'float' and len(node.args) == 1 and not node.keywords:
            return float(_literal(node.args[0], path))
    raise _not_plain(path, node)


def _not_plain(path: Path, node: ast.AST) -> ModelError:
    return ModelError(
        f'{path}:{getattr(node, "lineno", 1)}: a config of a model package is read as data and may hold `name = value` '
        f'lines only, found {type(node).__name__}: use the config that the training wrote'
    )


def config_text(config: Mapping[str, object]) -> str:
    """Write a resolved config as `name = literal` lines, which `read_plain_config` and mmengine alike read back."""
    saved = {key: _plain(config[key]) for key in SAVED_KEYS if key in config}
    literal = functools.partial(pprint.pformat, width=120, compact=True, sort_dicts=False)
    return '\n'.join(f'{key} = {literal(value)}\n' for key, value in saved.items())


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    return _Infinity(value) if isinstance(value, float) and math.isinf(value) else value


class _Infinity(float):
    """A number that is written as a call, since Python has no literal for it."""

    def __repr__(self) -> str:
        return f"float('{float(self)}')"
