"""Read a YAML mapping as data, with the line of every key, so that messages can say where."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Mapping, TypeVar, Union

import yaml
from yaml.constructor import ConstructorError

from executor.contract.errors import ConfigError
from executor.contract.regular_file import read_regular
from executor.contract.shown import clipped, shown

_MOST_BYTES = 2**18  # ten thousand classes, and read within seconds
_LONGEST_NUMBER = 30  # characters

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
        text = read_regular(path, _MOST_BYTES).decode('utf-8')
    except OSError as error:
        raise ConfigError(f'{path} cannot be read ({error.strerror}): the platform writes it before it starts a task')
    except UnicodeDecodeError as error:
        raise ConfigError(f'{path} is not UTF-8 text (byte {error.start}): save it as UTF-8')
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise ConfigError(f'{path}:1: the file is empty: expected `key: value` lines')
        values = loader.construct_document(node)
    # The others: what looks like a date or a flag and is none, such as 2020-99-99 or `!!bool maybe`.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        mark = getattr(error, 'problem_mark', None)
        place = f'{path}:{mark.line + 1}' if mark else str(path)
        problem = getattr(error, 'problem', None) or ' '.join(str(error).split())
        raise ConfigError(f'{place}: not valid YAML ({clipped(problem)})')
    if not isinstance(values, dict) or not isinstance(node, yaml.MappingNode):
        raise ConfigError(f'{path}:1: expected `key: value` lines, found {type(values).__name__}')
    return YamlMapping(path, values, _key_lines(node))


class _Loader(yaml.SafeLoader):
    """Reads YAML without what it does in silence: the last of two keys counts, 1:30 is 90, names that no file can hold.

    A merge (`<<`), of which a few lines can make billions of keys, is refused as well; the platform writes none.
    """

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == 'tag:yaml.org,2002:merge':
                raise ConstructorError(None, None, 'merging by << is not allowed', key.start_mark)
        super().flatten_mapping(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Dict[object, object]:
        mapping = super().construct_mapping(node, deep)
        lines: Dict[object, int] = {}
        for key_node, _ in node.value if len(mapping) < len(node.value) else ():
            key = self.construct_object(key_node)
            if key in lines:
                problem = f'the key {shown(key)} is there already, in line {lines[key]}'
                raise ConstructorError(None, None, problem, key_node.start_mark)
            lines[key] = key_node.start_mark.line + 1
        return mapping

    def construct_scalar(self, node: Union[yaml.ScalarNode, yaml.MappingNode]) -> str:
        text = super().construct_scalar(node)
        if any('\ud800' <= char <= '\udfff' for char in text):
            raise ConstructorError(None, None, 'half of a surrogate pair', node.start_mark)
        return text

    def construct_number(self, node: yaml.ScalarNode) -> Union[int, float, str]:
        """Make a number of what reads the same as a number; 010, 1:30, 1.10 and a thousand digits stay text."""
        text = self.construct_scalar(node)
        for kind in (int, float) if len(text) <= _LONGEST_NUMBER else ():
            with suppress(ValueError):
                number = kind(text)
                if str(number) == text:
                    return number
        return text


for _kind in ('int', 'float'):
    _Loader.add_constructor(f'tag:yaml.org,2002:{_kind}', _Loader.construct_number)


def _key_lines(node: yaml.MappingNode, prefix: str = '') -> Dict[str, int]:
    lines: Dict[str, int] = {}
    for key_node, value_node in node.value:
        if isinstance(key_node, yaml.ScalarNode):
            key = prefix + key_node.value
            lines[key] = key_node.start_mark.line + 1
            if isinstance(value_node, yaml.MappingNode) and not prefix:
                lines.update(_key_lines(value_node, key + '.'))
    return lines
