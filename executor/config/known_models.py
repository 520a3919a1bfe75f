"""Tell which models are known: what each costs, how good it is, and what `config_file` to name.

The table is configs/models.tsv; `python -m benchmarks.models` measures and fills in what depends on nobody's word.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import List, NamedTuple

from executor.config.find import OUR_CONFIGS
from executor.weights.image import names_in_image

TABLE = OUR_CONFIGS / 'models.tsv'


class KnownModel(NamedTuple):
    """A row of the table; every field is text, as it stands there."""

    model: str
    config_file: str  # ours or mmdet's
    input: str  # width x height at which it is tested
    parameters: str  # millions, with 80 classes
    flops: str  # thousand millions for one such input, a multiplication and an addition being two
    ap: str  # COCO AP in percent, val2017 if `source` names no other set
    source: str  # of the AP
    speed: str  # images/s on two cores of a CPU, the whole task
    licence: str  # of the weights
    weights: str  # where they are to be had

    def describe(self) -> str:
        """Write the row as two lines for a terminal."""
        numbers = (
            f'{self.model:<18} {self.input:>9} {self.parameters:>6} M {self.flops:>6} GFLOPs  AP {self.ap:>4} '
            f'{self.speed:>5} images/s'
        )
        return f'{numbers}  {self.config_file}\n{"":<18} {self.licence}: {self.weights}'


def known_models(table: Path = TABLE) -> List[KnownModel]:
    """Read the table."""
    with open(table, encoding='utf-8', newline='') as file:
        return [KnownModel(**row) for row in csv.DictReader(file, delimiter='\t')]


def describe_models() -> str:
    """Write all rows for a terminal, and what else `config_file` may name."""
    here = ', '.join(names_in_image()) or 'none'
    return '\n'.join(
        [
            'Models by family: input, parameters, FLOPs, COCO AP as published, images/s on two cores of a CPU;',
            'config_file to name; licence of the weights, and where they are to be had.',
            '',
            *(model.describe() for model in known_models()),
            '',
            'config_file may name any other box detector of mmdet, too. docs/models.md says more.',
            f'Weights in this image: {here}. docs/images.md says how to build some in.',
        ]
    )
