"""Read a YAML mapping as data, with the line of every key, so that messages can say where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Mapping, TypeVar

import yaml

from executor.contract.errors import ConfigError
from executor.contract.shown import shown

T = TypeVar('T')


@dataclass(frozen=True)
class YamlMapping:
    """The content of a YAML file, and the line from 1 of each key, dotted for nested ones (`input.root_dir`)."""

    path: Path
    values: Mapping[object, object]
    lines: Mapping[str, int]

    def where(self, key: str) -> str:
        """Return `file:line` of a key, or the file alone for a key that is not there."""
        line = self.lines.get(key)
        return f'{self.path}:{line}' if line else str(self.path)

    def parse(self, key: str, parse: Callable[[object], T]) -> T:
        """Parse the value of a key, None where it is not there.

        Raises:
            ConfigError: `parse` raised a ValueError, whose text completes the sentence "<key> must be ...".
        """
        section, _, name = key.rpartition('.')
        mapping = self.values.get(section) if section else self.values
        value = mapping.get(name) if isinstance(mapping, Mapping) else None
        try:
            return parse(value)
        except ValueError as error:
            raise ConfigError(f'{self.where(key)}: {key} must be {error}, found {shown(value)}')


def read_yaml_mapping(path: Path) -> YamlMapping:
    """Read a file whose top level is a mapping.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or holds something else than a mapping.
    """
    try:
        text = path.read_text(encoding='utf-8')
    except OSError as error:
        raise ConfigError(f'{path} cannot be read ({error.strerror}): the platform writes it before it starts a task')
    except UnicodeDecodeError as error:
        raise ConfigError(f'{path} is not UTF-8 text (byte {error.start}): save it as UTF-8')
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise ConfigError(f'{path}:1: the file is empty: expected `key: value` lines')
        values = loader.construct_document(node)
    # The others: what looks like a date or a number and is none, such as 2020-99-99 or `!!bool maybe`.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        mark = getattr(error, 'problem_mark', None)
        place = f'{path}:{mark.line + 1}' if mark else str(path)
        problem = getattr(error, 'problem', None) or ' '.join(str(error).split())
        raise ConfigError(f'{place}: not valid YAML ({problem})')
    if not isinstance(values, dict) or not isinstance(node, yaml.MappingNode):
        raise ConfigError(f'{path}:1: expected `key: value` lines, found {type(values).__name__}')
    return YamlMapping(path, values, _key_lines(node))


def _key_lines(node: yaml.MappingNode, prefix: str = '') -> Dict[str, int]:
    lines: Dict[str, int] = {}
    for key_node, value_node in node.value:
        if isinstance(key_node, yaml.ScalarNode):
            key = prefix + key_node.value
            lines[key] = key_node.start_mark.line + 1
            if isinstance(value_node, yaml.MappingNode) and not prefix:
                lines.update(_key_lines(value_node, key + '.'))
    return lines
