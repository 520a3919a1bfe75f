"""Run all proofs on this machine: `make test-gpu`, or `proof` in the image; a table tells what holds."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Optional, Sequence
from unittest import mock

from executor.log import quiet
from proof.apart import Failed, run_apart
from proof.table import Outcome, Row, Verdict, as_json, counted, exit_status, told

_FILE, _FOLDERS = 'proof.json', ('tasks', 'logs')

_EPILOG = """exit status: 0 nothing is wrong, though a goal of speed may not be reached; 1 something is wrong; 2 it was
called wrongly"""


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the proofs; returns the exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    folder = (args.out or Path(tempfile.mkdtemp(prefix='proof-'))).resolve()
    file = folder / _FILE
    if any((folder / name).exists() for name in _FOLDERS) and not file.is_file():
        parser.error(f'{folder} holds folders that no run of this left there: choose another --out')
    folder.mkdir(parents=True, exist_ok=True)
    if not file.is_file():
        file.write_text('{}\n', encoding='utf-8')  # the folder is ours, however this run ends
    for name in _FOLDERS:
        if not args.only:  # which needs what an earlier run left
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(exist_ok=True)
    machine = run_apart(_facts, folder / 'logs' / 'machine.log', 120)
    device = args.device or ('cuda' if machine['GPUs'] else 'cpu')
    if device == 'cuda' and not machine['GPUs']:
        parser.error('torch sees no GPU here: start the container with --gpus all, or say --device cpu')
    print('\n'.join(f'{name + ":":15}{_words(value)}' for name, value in machine.items()), flush=True)
    print(f'{"proved on:":15}{device}\n', flush=True)
    gpus = len(machine['GPUs']) if device == 'cuda' else 0
    import_all(gpus)
    unknown = _unknown(args.only)
    if unknown:
        parser.error(unknown)
    rows: List[Row] = []
    for row in _rows(folder, device, gpus, args.only):
        rows.append(row)
        print('\n'.join(told(row)), flush=True)
        file.write_text(json.dumps(as_json(machine, device, rows), indent=1) + '\n', encoding='utf-8')
    if not args.keep:
        shutil.rmtree(folder / 'tasks')
    seconds = sum(row.seconds for row in rows)
    print(f'\n{counted(rows)}, in {seconds:.0f} s\nnumbers: {file}; logs: {folder / "logs"}', flush=True)
    return exit_status(rows)


def _facts() -> Mapping[str, Any]:
    from proof.machine import facts  # in a process apart: to ask starts CUDA, of which no fork could make use

    return facts()


def import_all(gpus: int) -> None:
    """Import, once for all proofs, what they need; each is a fork of this process.

    mmengine asks for the GPUs when it is imported, and uses those that there are. To ask starts CUDA's driver, after
    which a fork could not use it: so mmengine is told.
    """
    if not gpus:
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    import torch

    with contextlib.ExitStack() as stack:
        stack.enter_context(quiet())
        if gpus:
            stack.enter_context(mock.patch.object(torch._C, '_cuda_getDeviceCount', lambda: gpus, create=True))
        for name in ('executor.detection.detect', 'executor.training.train', 'proof.catalog'):
            importlib.import_module(name)


def _unknown(only: Sequence[str]) -> str:
    """Tell which names are those of no proof; nothing where all are."""
    from proof.catalog import PROOFS

    names = [proof.name for proof in PROOFS]
    unknown = [name for name in only if name not in names]
    return f'--only {", ".join(unknown)}: there is no such proof; there are {", ".join(names)}' if unknown else ''


def _rows(folder: Path, device: str, gpus: int, only: Sequence[str]) -> Iterator[Row]:
    """Make every proof, or only some, whatever became of those before it."""
    from proof.bench import SECONDS, SIZES, Bench
    from proof.catalog import PROOFS, Proof

    def outcome(proof: Proof) -> Outcome:
        log = folder / 'logs' / f'{proof.name.replace(" ", "-")}.log'
        bench = Bench(device, gpus, folder, SIZES[device], log)
        lacks = proof.lacks(bench)
        if lacks:
            return Outcome(lacks, Verdict.NOT_HERE)
        log.write_text('')
        try:
            found = run_apart(lambda: proof.prove(bench), log, SECONDS)
        except Failed as error:
            found = Outcome(str(error), Verdict.FAILED)
        return found._replace(found=f'{found.found} ({log})') if found.verdict is Verdict.FAILED else found

    for proof in PROOFS:
        if proof.name in only or not only:
            started = time.monotonic()
            found = outcome(proof)
            yield Row(proof.name, found.found, proof.goal, found.verdict, time.monotonic() - started)


def _words(value: object) -> str:
    return ', '.join(map(str, value)) or 'none' if isinstance(value, list) else str(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='proof', description=__doc__, epilog=_EPILOG)
    parser.add_argument('--device', choices=('cuda', 'cpu'), help='what to prove (default: cuda where there is one)')
    parser.add_argument('--out', type=Path, metavar='FOLDER', help='for proof.json and logs (default: a new one)')
    parser.add_argument(
        '--only', nargs='+', metavar='PROOF', default=(), help='only these, on what a run with --keep left in --out'
    )
    parser.add_argument('--keep', action='store_true', help='leave the tasks there, too')
    return parser


if __name__ == '__main__':
    sys.exit(main())
