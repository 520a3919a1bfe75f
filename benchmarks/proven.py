"""Add a run of `make test-gpu` to docs/benchmarks.md, a section a machine: `python -m benchmarks.proven proof.json`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List

from benchmarks.page import table, write_section


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('file', type=Path, help='proof.json of the run')
    run = json.loads(parser.parse_args().file.read_text(encoding='utf-8'))
    write_section(f'Proofs on {described(run["machine"])}', describe(run))


def described(machine: Dict[str, Any]) -> str:
    """Name what computed: the GPUs, or the processor where there are none."""
    return ' and '.join(machine['GPUs']) or f'{machine["processor"]}, {machine["cores"]} cores'


def describe(run: Dict[str, Any]) -> List[str]:
    machine = ', '.join(f'{name} {_words(value)}' for name, value in run['machine'].items() if name != 'machine')
    rows = [[row['name'], row['found'], row['goal'], row['verdict'], f'{row["seconds"]:.0f}'] for row in run['rows']]
    told = [[str(cell).replace('|', '\\|') for cell in row] for row in rows]
    return [
        f'`python -m proof --device {run["device"]}`; [what it proves](gpu.md).',
        '',
        f'{machine}.',
        '',
        *table(('proof', 'found', 'goal', 'verdict', 'seconds'), told),
    ]


def _words(value: object) -> str:
    return ' and '.join(map(str, value)) or 'none' if isinstance(value, list) else str(value)


if __name__ == '__main__':
    main()
