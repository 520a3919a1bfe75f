"""Fetch weights for the image: by their names in weights.tsv, or from addresses; what does not fit ends the build.

    python3 fetch_weights.py FOLDER [NAME | ADDRESS[#sha256=HEX]]...

It runs in the base image, where there is nothing but Python. A file that lies in the folder already is checked, not
fetched.
"""

from __future__ import annotations

import csv
import hashlib
import os
import sys
import urllib.request
from pathlib import Path
from typing import Dict, NamedTuple

TABLE = Path(__file__).with_name('weights.tsv')
_MARK = '#sha256='
_SECONDS = 60  # without a byte


class Weights(NamedTuple):
    """A row of the table."""

    name: str
    file: str  # as a training finds it: the architecture of its config, and what may follow
    address: str
    sha256: str  # all of it or its first digits, at least 8; none for an address without
    licence: str


def known_weights(table: Path = TABLE) -> Dict[str, Weights]:
    """Read the table, by name."""
    with open(table, encoding='utf-8', newline='') as file:
        rows = [Weights(**row) for row in csv.DictReader(file, delimiter='\t')]
    return {row.name: row for row in rows}


def find(word: str, known: Dict[str, Weights]) -> Weights:
    """Return what a word of the command asks for."""
    if '://' in word:
        address, _, sha256 = word.partition(_MARK)
        return Weights(word, address.partition('?')[0].rpartition('/')[2], address, sha256, 'unknown')
    if word not in known:
        sys.exit(f'weights: {word!r} is not in {TABLE.name}: use names out of {", ".join(known)}, or addresses')
    return known[word]


def fetch(weights: Weights, folder: Path) -> str:
    """Fetch and check one file; returns a line to tell."""
    path, part = folder / weights.file, folder / f'{weights.file}.part'
    if not path.is_file():
        try:
            with urllib.request.urlopen(weights.address, timeout=_SECONDS) as source, open(part, 'wb') as target:
                while True:
                    block = source.read(2**20)
                    if not block:
                        break
                    target.write(block)
        except (OSError, ValueError) as error:
            sys.exit(
                f'weights: {weights.address} cannot be fetched ({error}): build where it can be reached, or put the '
                f'file into docker/weights as {weights.file}'
            )
        found = digest(part)
        if not found.startswith(weights.sha256):
            part.unlink()
            sys.exit(
                f'weights: {weights.address} has sha256 {found}, expected {weights.sha256}: it came in part, or is '
                'another file than it was; try again, or look at its page before you change the number'
            )
        os.replace(part, path)
    elif not digest(path).startswith(weights.sha256):
        sys.exit(
            f'weights: docker/weights/{weights.file} has sha256 {digest(path)}, expected {weights.sha256}: take it '
            'away, and it is fetched, or leave the name out, and it is taken as it is'
        )
    checked = f'sha256 begins with {weights.sha256}' if weights.sha256 else 'not checked'
    return f'{weights.file}: {path.stat().st_size} bytes, {checked}, licence: {weights.licence}'


def digest(path: Path) -> str:
    """Compute the sha256 of a file."""
    computed = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(2**20), b''):
            computed.update(block)
    return computed.hexdigest()


def main(folder: str, *words: str) -> None:
    """Fetch all that is asked for."""
    known = known_weights()
    wanted = [find(word, known) for word in words]  # all of them before the first is fetched, so that a slip is told
    for weights in wanted:
        print(fetch(weights, Path(folder)), flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
