"""Make the page of a comparison: models side by side, and the images in which they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

from executor.evaluation.changes import Change
from executor.report.comparison import Compared, Comparison, comparison_numbers
from executor.report.error_tiles import KIND_COLOURS, Tile, error_tile
from executor.report.page import fill_page, write_page

_MOST_PAIRS = 8  # of images that are better, and of those that are worse


class _Pair(NamedTuple):
    """One image as two models see it."""

    errors: Sequence[int]
    tiles: Sequence[Tile]


def write_comparison(comparison: Comparison, class_names: Sequence[str], page: Path, numbers_file: Path) -> None:
    """Write the numbers and the page of a comparison; `class_names` are of the boxes in images.

    Raises:
        OSError: they cannot be written.
    """
    write_page(page, comparison_page(comparison, class_names), numbers_file, comparison_numbers(comparison))


def comparison_page(comparison: Comparison, class_names: Sequence[str]) -> str:
    """Write the page."""
    models = comparison.models
    return fill_page(
        'compare.html',
        models=models,
        others=list(zip(models[1:], comparison.same)),
        same=all(comparison.same),
        tables=comparison.tables,
        images=[
            {
                'model': models[number],
                'counts': {name: len(of) for name, of in vars(changes).items()},
                'pairs': _pairs(models, number, vars(changes), class_names),
            }
            for number, changes in enumerate(comparison.changes, start=1)
            if changes is not None
        ],
        colours=KIND_COLOURS,
    )


def _pairs(
    models: Sequence[Compared], number: int, changes: Dict[str, Sequence[Change]], class_names: Sequence[str]
) -> Dict[str, List[_Pair]]:
    """Draw the images that changed most, as the first model sees them and as another does."""
    pairs: Dict[str, List[_Pair]] = {}
    for name, of in changes.items():
        pairs[name] = [
            _Pair(
                [one.errors_first, one.errors_second],
                [_tile(models[0], one.first, class_names), _tile(models[number], one.second, class_names)],
            )
            for one in of[:_MOST_PAIRS]
        ]
    return pairs


def _tile(model: Compared, image: int, class_names: Sequence[str]) -> Tile:
    seen = model.seen
    assert seen is not None, 'images are compared'
    return error_tile(Path(seen.paths[image]), seen.errors.of_image(image), seen.errors, class_names)
