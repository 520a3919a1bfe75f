"""Fill the template of a page: one HTML file, with styles and pictures in it, that opens without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import jinja2
import numpy as np

from executor.contract.output.files import replace_file

Numbers = Dict[str, Any]  # what JSON can hold


def write_page(page: Path, text: str, numbers_file: Path, numbers: Numbers) -> None:
    """Write the numbers and the page, each whole or not at all.

    Raises:
        OSError: they cannot be written.
    """
    replace_file(numbers_file, json.dumps(numbers, ensure_ascii=False, allow_nan=False))
    replace_file(page, text)


def fill_page(template: str, **content: object) -> str:
    """Fill a template of this folder; text comes out as text, whatever is in it."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(Path(__file__).parent / 'templates')),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters['number'] = lambda value: '–' if value is None else f'{value:.3f}'
    return templates.get_template(template).render(**content)


def rounded(value: Any) -> Any:
    """Write numbers with four decimals, in arrays, dicts and lists, too; a small one keeps four digits."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [rounded(one) for one in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return (round(number, 4) if abs(number) >= 0.1 else float(f'{number:.4g}')) if np.isfinite(number) else None
    return value
