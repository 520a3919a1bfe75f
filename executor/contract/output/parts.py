"""Carry what the ranks found to the one file that the platform reads.

Of W ranks, rank r handles positions r, r + W, r + 2 W, ... of the index and writes them, in this order, to a file of
its own; read in turn, the W files give the whole index in order, and no rank ever holds more than a line.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Iterable, Iterator, Literal, TextIO, Tuple

from executor.contract.env import Env
from executor.contract.output.files import remove_file

# Names of parts; a task may have both.
INFER = 'infer'
MINING = 'mining'

_PART = re.compile(rf'({INFER}|{MINING})-[0-9]+\.tsv')


def parts_dir(env: Env) -> Path:
    """Return the folder of the parts, which is hidden, since /out is shown to users."""
    return env.output.root_dir / '.parts'


def clear_candidate_results(env: Env) -> None:
    """Remove what an earlier run of the same task left in this /out; before any rank opens its part.

    A task that only mines leaves the result of an inference alone, and the other way round.
    """
    if env.run_infer:
        remove_file(env.output.infer_result_file)
    if env.run_mining:
        remove_file(env.output.mining_result_file)
    remove_parts(env)


def remove_parts(env: Env) -> None:
    """Remove all parts, when they are merged or of an earlier run; one that cannot be removed does no harm.

    What else lies in their folder stays, and so does what a link in its place leads to.
    """
    folder = parts_dir(env)
    with suppress(OSError):
        if not folder.is_symlink():
            for file in folder.iterdir():
                if _PART.fullmatch(file.name):
                    file.unlink()
            folder.rmdir()


class PartWriter:
    """The part of one rank, for a `with` block; it replaces that of an earlier run."""

    def __init__(self, folder: Path, name: str, rank: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stream = _open(_part_file(folder, name, rank), 'w')

    def write(self, position: int, line: str) -> None:
        """Add the result of one position of the index; `line` is text without a line break. Positions ascend."""
        assert '\n' not in line, f'a result of several lines at position {position}: {line!r}'
        self._stream.write(f'{position}\t{line}\n')

    def close(self) -> None:
        """Write out what is buffered. Only then may parts be read."""
        self._stream.close()

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def read_parts(folder: Path, name: str, world_size: int, count: int) -> Iterator[Tuple[int, str]]:
    """Read position and line of every result, in the order of an index of `count` images, each exactly once."""
    with ExitStack() as stack:
        streams = []
        for rank in range(world_size):
            part = _part_file(folder, name, rank)
            assert part.is_file(), f'rank {rank} left no part: {part} is missing'
            streams.append(stack.enter_context(_open(part, 'r')))
        for position in range(count):
            stream = streams[position % world_size]
            line = stream.readline()
            found, _, text = line.partition('\t')
            # A part that was not closed may end in the middle of a line.
            whole = found == str(position) and text.endswith('\n')
            assert whole, f'{stream.name} has {line[:80]!r} where position {position} is due'
            yield position, text[:-1]
        for stream in streams:
            line = stream.readline()
            assert not line, f'{stream.name} has a result too many: {line[:80]!r}'


def each_once(results: Iterable[Tuple[int, str]], count: int) -> Iterator[str]:
    """Yield the lines of `count` results; any positions other than 0, 1, 2, ... are our own bug, an AssertionError."""
    expected = 0
    for position, line in results:
        assert position == expected < count, f'position {position} where {expected} of {count} is due'
        yield line
        expected += 1
    assert expected == count, f'results of {expected} candidates of {count}'


def _part_file(folder: Path, name: str, rank: int) -> Path:
    return folder / f'{name}-{rank}.tsv'


def _open(path: Path, mode: Literal['r', 'w']) -> TextIO:
    # A line ends at \n only. Text that UTF-8 does not have becomes JSON's own escape (`"\\ud83d"`).
    return open(path, mode, encoding='utf-8', errors='backslashreplace', newline='\n')
