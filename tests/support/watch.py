"""Watch what a process does: an audit hook that notes every import, program, socket and file that is not allowed.

A hook cannot be taken away again, so it is for processes of its own: `tests.support.fuzz`, and tasks that are started
with `tests/support/watched` in their PYTHONPATH.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Collection, Iterable, List, Set, Tuple

REPOSITORY = Path(__file__).resolve().parents[2]

_PROGRAMS = ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.spawn', 'os.forkpty', 'pty.spawn')
_NAMES = ('socket.getaddrinfo', 'socket.gethostbyname', 'socket.gethostbyaddr', 'urllib.Request')
_SOCKETS = ('socket.connect', 'socket.bind', 'socket.sendto', 'socket.sendmsg')
# What mmcv evaluates where it looks up a function for NMS, and how the standard library makes dataclasses.
_EVALUATED = ('nms', 'soft_nms', 'nms_match', '__create_fn__')


def libraries() -> Tuple[str, ...]:
    """The folders of Python and of what is installed for it."""
    roots = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    return tuple(dict.fromkeys(os.path.realpath(root) for root in roots))


def installed_modules() -> Set[str]:
    """List the modules of Python, of what is installed, and of this project, by the first parts of their names."""
    folders = [path for path in sys.path if os.path.isdir(path) and os.path.realpath(path).startswith(libraries())]
    found = [name for folder in folders for name in os.listdir(folder)]
    return {*(name.partition('.')[0] for name in found), *sys.builtin_module_names, 'executor', 'mining'}


@dataclass(frozen=True)
class Allowed:
    """What a process may do."""

    readable: Collection[Path]  # folders and files, beside those of Python, the libraries and this project
    writable: Collection[Path]  # folders and files, which may be read, too
    modules: Collection[str]  # first parts of the names of modules
    pickled: Tuple[str, ...]  # first parts of the modules whose classes and functions a pickle may name
    programs: Collection[str] = field(default=())
    forks: bool = False  # as the loading processes are made
    evaluates: bool = False  # text as Python, as named tuples and dataclasses do when modules are imported


def watch(note: Callable[[str], None], allowed: Allowed) -> None:
    """Note, from now on, whatever this process does beyond what is allowed."""
    hook = _Hook(note, allowed)
    sys.addaudithook(hook.heed)


class _Hook:
    def __init__(self, note: Callable[[str], None], allowed: Allowed) -> None:
        self._note = note
        self._allowed = allowed
        self._writable = _roots(map(str, allowed.writable))
        self._readable = [*self._writable, *_roots(map(str, (*allowed.readable, REPOSITORY))), *libraries()]
        self._busy = False  # its own doing is not watched

    def heed(self, event: str, arguments: Tuple[Any, ...]) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            found = self._found(event, arguments)
            if found:
                self._note(f'{event}: {found}'[:300])
        finally:
            self._busy = False

    def _found(self, event: str, arguments: Tuple[Any, ...]) -> str:
        """Say what is not allowed about an event; nothing where it is."""
        if event == 'import':
            top = arguments[0].partition('.')[0]
            # What libraries look for and do not find does nothing.
            return '' if top in self._allowed.modules or importlib.util.find_spec(top) is None else arguments[0]
        if event == 'open':
            return self._opened(arguments[0], arguments[2])
        if event in _PROGRAMS:
            return '' if arguments[0] in self._allowed.programs else repr(arguments)
        if event in _NAMES or (event == 'os.fork' and not self._allowed.forks):
            return repr(arguments) or event
        if event in _SOCKETS:
            return '' if arguments[0].family == socket.AF_UNIX else repr(arguments)
        if event == 'pickle.find_class':
            name = '.'.join(map(str, arguments))
            return '' if name.partition('.')[0] in self._allowed.pickled else name
        return self._executed(arguments[0]) if event == 'exec' else ''

    def _executed(self, code: types.CodeType) -> str:
        file = code.co_filename
        if not file or file.startswith('<'):  # text, or a module that is part of Python itself
            known = self._allowed.evaluates or file.startswith('<frozen') or {*code.co_names} <= {*_EVALUATED}
            return '' if known else ', '.join(code.co_names)
        return '' if _is_below(os.path.realpath(file), [str(REPOSITORY), *libraries()]) else file

    def _opened(self, path: object, flags: int) -> str:
        if path is None or isinstance(path, int):
            return ''
        name = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) != 0
        roots = self._writable if writes else self._readable
        return '' if _is_below(name, roots) else f'{name} ({"written" if writes else "read"})'


def _is_below(name: str, roots: Iterable[str]) -> bool:
    return any(name == root or name.startswith(f'{root}/') for root in roots)


def _roots(paths: Iterable[str]) -> List[str]:
    return [os.path.realpath(path) for path in paths]
