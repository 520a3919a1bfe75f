"""docs/benchmarks.md: one section a benchmark, each rewritten by its own."""

from __future__ import annotations

import datetime
import os
import platform
import re
from pathlib import Path
from typing import Iterable, List, Sequence

import torch

from proof.machine import processor

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / 'docs' / 'benchmarks.md'
_HEAD = '# Benchmarks\n\n`make benchmark` measures and rewrites this page, a section each.\n'


def write_section(title: str, lines: Sequence[str]) -> None:
    """Put the section in place of the one with the same title, or at the end."""
    text = PAGE.read_text(encoding='utf-8') if PAGE.is_file() else _HEAD
    head, *sections = re.split(r'^(?=## )', text, flags=re.MULTILINE)
    new = f'## {title}\n\n' + '\n'.join(lines).strip() + '\n\n'
    titles = [section.splitlines()[0] for section in sections]
    if f'## {title}' in titles:
        sections[titles.index(f'## {title}')] = new
    else:
        sections.append(new)
    PAGE.write_text(_HEAD + '\n' + ''.join(sections).rstrip() + '\n', encoding='utf-8')
    print(new)


def machine() -> str:
    """Date, device, cores and versions, in one line."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else processor()
    return (
        f'{datetime.date.today()}, {device}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, '
        f'torch {torch.__version__}'
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> List[str]:
    """Lines of a Markdown table."""
    return [
        f'| {" | ".join(head)} |',
        '|' + '---|' * len(head),
        *(f'| {" | ".join(str(cell) for cell in row)} |' for row in rows),
    ]
