"""Run all proofs on this machine: `make test-gpu`, or `proof` in the image; a table tells what holds."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import List, Mapping, Optional, Sequence

from proof.apart import Failed, run_apart
from proof.table import Outcome, Row, Verdict, as_json, counted, exit_status, told

_SECONDS = 420.0  # that one proof may take

_EPILOG = """exit status: 0 nothing is wrong, though a goal of speed may not be reached; 1 something is wrong; 2 it was
called wrongly"""


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the proofs; returns the exit status."""
    args = _parser().parse_args(argv)
    folder = (args.out or Path(tempfile.mkdtemp(prefix='proof-'))).resolve()
    for name in ('tasks', 'logs'):
        if not args.only:  # which needs what an earlier run left
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True, exist_ok=True)
    machine, rows = facts(folder), []
    device = args.device or ('cuda' if machine['GPUs'] else 'cpu')
    if device == 'cuda' and not machine['GPUs']:
        print('proof: torch sees no GPU here: start the container with --gpus all, or say --device cpu')
        return 2
    print('\n'.join(f'{name + ":":15}{_words(value)}' for name, value in machine.items()), flush=True)
    print(f'{"proved on:":15}{device}\n', flush=True)
    rows = run(folder, device, len(machine['GPUs']) if device == 'cuda' else 0, args.only)  # type: ignore[arg-type]
    file = folder / 'proof.json'
    file.write_text(json.dumps(as_json(machine, device, rows), indent=1) + '\n', encoding='utf-8')
    if not args.keep:
        shutil.rmtree(folder / 'tasks')
    seconds = sum(row.seconds for row in rows)
    print(f'\n{counted(rows)}, in {seconds:.0f} s\nnumbers: {file}; logs: {folder / "logs"}', flush=True)
    return exit_status(rows)


def facts(folder: Path) -> Mapping[str, object]:
    """Tell what machine it is, from a process apart, since asking starts CUDA."""
    from proof.machine import facts as asked

    return run_apart(asked, folder / 'logs' / 'machine.log', 120)


def run(folder: Path, device: str, gpus: int, only: Sequence[str]) -> List[Row]:
    """Make every proof, or only some, whatever became of those before it, and tell its row."""
    # What all need is imported once: each proof is a fork of this process.
    import executor.detection.detect  # noqa: F401
    import executor.training.train  # noqa: F401
    from proof.bench import SIZES, Bench
    from proof.catalog import PROOFS

    bench, rows = Bench(device, gpus, folder, SIZES[device]), []
    for proof in PROOFS if not only else [proof for proof in PROOFS if proof.name in only]:
        log, started = bench.log(proof.name), time.monotonic()
        lacks = proof.lacks(bench)
        try:
            found = Outcome(lacks, Verdict.NOT_HERE) if lacks else run_apart(lambda: proof.prove(bench), log, _SECONDS)  # noqa: B023
        except Failed as error:
            found = Outcome(f'{error} ({log})', Verdict.FAILED)
        rows.append(Row(proof.name, found.found, proof.goal, found.verdict, time.monotonic() - started))
        print('\n'.join(told(rows[-1])), flush=True)
    return rows


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
