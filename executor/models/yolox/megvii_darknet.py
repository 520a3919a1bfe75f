"""Give the weights of Megvii's YOLOX-Darknet53 the names of mmdet's parts; the networks are the same."""

from __future__ import annotations

import re
from typing import Callable, Dict, Iterable, Mapping, Match, Tuple

import torch

from executor.models.yolox import megvii


def _number(match: Match[str], group: int) -> int:
    return int(match.group(group))


# Megvii numbers the layers of a stage, and keeps the pooling with the backbone: the last five of its stage 5.
_RULES: Tuple[Tuple[str, Callable[[Match[str]], str]], ...] = (
    (r'backbone\.backbone\.stem\.0', lambda m: 'backbone.conv1'),
    (r'backbone\.backbone\.stem\.1', lambda m: 'backbone.conv_res_block1.conv'),
    (r'backbone\.backbone\.stem\.2\.layer([12])', lambda m: f'backbone.conv_res_block1.res0.conv{m.group(1)}'),
    (r'backbone\.backbone\.dark([2-5])\.0', lambda m: f'backbone.conv_res_block{m.group(1)}.conv'),
    (
        r'backbone\.backbone\.dark([2-5])\.(\d)\.layer([12])',
        lambda m: f'backbone.conv_res_block{m.group(1)}.res{_number(m, 2) - 1}.conv{m.group(3)}',
    ),
    (r'backbone\.backbone\.dark5\.([5-9])', lambda m: f'neck.detect1.conv{_number(m, 1) - 4}'),
    (r'backbone\.out([12])_cbl', lambda m: f'neck.conv{m.group(1)}'),
    (r'backbone\.out([12])\.(\d)', lambda m: f'neck.detect{_number(m, 1) + 1}.conv{_number(m, 2) + 1}'),
)
_PATTERNS = tuple((re.compile(pattern + r'(?=\.)'), new) for pattern, new in _RULES)


def fits(names: Iterable[str]) -> bool:
    """Tell whether parameter names are those of Megvii's YOLOX-Darknet53."""
    return any(name.startswith('backbone.out1_cbl.') for name in names)


def to_mmdet(parameters: Mapping[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    """Give the parameters mmdet's names."""
    return megvii.to_mmdet({_rename(name): value for name, value in parameters.items()})  # the head's are as ever


def _rename(name: str) -> str:
    for pattern, new in _PATTERNS:
        match = pattern.match(name)
        if match:
            return new(match) + name[match.end() :]
    return name
