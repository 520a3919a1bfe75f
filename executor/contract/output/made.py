"""Keep account of the files that trainings made in /out, so that a later one removes these and nothing else."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Iterable, List, Sequence, Set

from executor.contract.output.files import remove_file, replace_file
from executor.contract.regular_file import read_regular

_MOST_BYTES = 2**26  # a million files


class MadeFiles:
    """The account: paths below `root`, in a file of its own there. Only what lies below `folders` is ever removed."""

    def __init__(self, root: Path, folders: Sequence[Path]) -> None:
        self._root = root
        self._folders = [_absolute(folder) for folder in folders]
        self._account = root / 'training' / 'made.json'

    def add(self, files: Iterable[Path]) -> None:
        """Put files on the account, before they are made: then a kill leaves none that is not on it."""
        known = self._read()
        new = known.union(map(self._name, files))
        if new != known:
            self._write(new)

    def remove(self, files: Iterable[Path]) -> None:
        """Remove those of the files that are on the account, and then their folders where nothing else is in them."""
        known = self._read()
        removed = known.intersection(map(self._name, files))
        for name in removed:
            with suppress(OSError):  # what cannot be removed does no harm
                self._remove(_absolute(self._root / name))
        if removed:
            with suppress(OSError):  # on a full disk it stays on the account, which does none either
                self._write(known - removed)

    def all(self) -> List[Path]:
        """Return what is on the account."""
        return [self._root / name for name in self._read()]

    def _remove(self, file: Path) -> None:
        top = next((folder for folder in self._folders if folder in file.parents), None)
        if top is None:
            return
        between = list(file.parents)[: len(file.relative_to(top).parts) - 1]
        if any(path.is_symlink() for path in (file, *between)):
            return  # to elsewhere; we made none
        remove_file(file)
        for folder in between:
            folder.rmdir()

    def _name(self, file: Path) -> str:
        return os.path.relpath(str(file), str(self._root))

    def _read(self) -> Set[str]:
        try:
            names = json.loads(read_regular(self._account, _MOST_BYTES).decode('utf-8'))
        except (OSError, ValueError, RecursionError):
            return set()
        return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()

    def _write(self, names: Set[str]) -> None:
        replace_file(self._account, json.dumps(sorted(names), indent=0))


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(str(path)))
