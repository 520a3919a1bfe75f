"""Config files: found by the names users know, read as code only where they are ours or mmdet's own."""

from __future__ import annotations

import ast
import math
import pprint
from pathlib import Path
from typing import Any, Dict, Mapping, Sequence

from mmengine.config import Config

from executor.config.find import OUR_CONFIGS, find_config, mmdet_configs
from executor.contract.errors import ModelError
from executor.config.allowed import running_parts

# What a model package carries: everything a later task needs, nothing that only helped to write the config.
SAVED_KEYS = (
    'default_scope',
    'find_unused_parameters',
    'model',
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'train_cfg',
    'val_cfg',
    'test_cfg',
    'val_evaluator',
    'test_evaluator',
    'optim_wrapper',
    'auto_scale_lr',
    'param_scheduler',
    'custom_hooks',
    'published_schedule',
)


def load_config(name: str, package_files: Sequence[Path] = ()) -> Config:
    """The config that the parameter `config_file` names.

    Ours and mmdet's are Python that mmengine runs; any other file is read as data and never run.

    Raises:
        ParameterError: no such file.
        ModelError: a file outside the repository and mmdet holds more than plain assignments.
    """
    path = find_config(name, package_files)
    if any(root in path.parents for root in (OUR_CONFIGS, mmdet_configs())):
        return Config.fromfile(str(path))
    values = read_plain_config(path)
    for key, value in running_parts(values):
        raise ModelError(
            f'{path}: {key} = {value!r} would run code, which no config of a package may: use the config that the '
            'training wrote'
        )
    for key in ('model', 'train_dataloader'):
        if not isinstance(values.get(key), dict):
            raise ModelError(
                f'{path} is no complete mmdet 3 config, without {key} = {{...}} (a config of mmdet 2 cannot be used): '
                'set config_file to one of this image, such as configs/yolox/yolox_tiny_8x8_300e_coco.py'
            )
    return Config(values, filename=str(path))


def read_plain_config(path: Path) -> Dict[str, Any]:
    """A config that consists of `name = literal` lines, read without running it.

    Literals are Python's, and `dict(key=literal)`, the form in which mmengine dumps a config.

    Raises:
        ModelError: with file and line, where something else than a plain assignment is found.
    """
    try:
        tree = ast.parse(path.read_text(encoding='utf-8'))
    # MemoryError: of Python's parser, where brackets or signs are nested without end.
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or 'nested too deeply'
        raise ModelError(
            f'{path}:{getattr(error, "lineno", None) or 1}: not a config file ({reason}): use the config that the '
            'training wrote'
        )
    values: Dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        target = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
        if not isinstance(target, ast.Name):
            raise _not_plain(path, statement)
        try:
            values[target.id] = _literal(statement.value, path)
        except (TypeError, ValueError, RecursionError) as error:  # a list as a key, a word as a float
            raise ModelError(
                f'{path}:{statement.lineno}: {target.id} is no value that a config can have ({error}): use the config '
                'that the training wrote'
            )
    return values


def _literal(node: ast.AST, path: Path) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple(_literal(item, path) for item in node.elts)
    if isinstance(node, ast.List):
        return [_literal(item, path) for item in node.elts]
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_literal(key, path): _literal(value, path) for key, value in zip(node.keys, node.values)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand, path)
        if isinstance(value, (int, float)):
            return -value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == 'dict' and not node.args and all(keyword.arg for keyword in node.keywords):
            return {keyword.arg: _literal(keyword.value, path) for keyword in node.keywords}
        # Infinity has no literal.
        if node.func.id == 'float' and len(node.args) == 1 and not node.keywords:
            return float(_literal(node.args[0], path))
    raise _not_plain(path, node)


def _not_plain(path: Path, node: ast.AST) -> ModelError:
    return ModelError(
        f'{path}:{getattr(node, "lineno", 1)}: a config of a model package is read as data and may hold `name = value` '
        f'lines only, found {type(node).__name__}: use the config that the training wrote'
    )


def config_text(config: Mapping[str, Any]) -> str:
    """A resolved config as `name = literal` lines, which `read_plain_config` and mmengine alike read back."""
    lines = []
    for key in SAVED_KEYS:
        if key in config:
            value = pprint.pformat(_plain(config[key]), width=120, compact=True, sort_dicts=False)
            lines.append(f'{key} = {value}\n')
    return '\n'.join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    return _Infinity(value) if isinstance(value, float) and math.isinf(value) else value


class _Infinity(float):
    """Written as a call, since Python has no literal for it."""

    def __repr__(self) -> str:
        return f"float('{float(self)}')"
