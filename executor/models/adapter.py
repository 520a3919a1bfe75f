"""Say what a head adapter is: it makes boxes, and maps for mining, of what a dense head puts out."""

from __future__ import annotations

from typing import Any, Iterator, List, NamedTuple, Protocol, Sequence, Tuple, Union

import torch

from executor.detections import Detections, HeadMap
from executor.images.prepare import Prepared

Structure = Union[List['Structure'], int, None]  # nesting of outputs: lists as lists, a tensor as 1, None as None
Outputs = Union[Sequence['Outputs'], torch.Tensor, None]


class RawOutputs(NamedTuple):
    """The head's outputs as mmdet's `forward` returns them, made flat; `structure` tells how to nest them again."""

    tensors: Tuple[torch.Tensor, ...]
    structure: Structure

    def nested(self) -> Any:
        """Nest them as mmdet's `predict_by_feat` wants them, which depends on the head."""
        return _nest(self.structure, iter(self.tensors))


class HeadAdapter(Protocol):
    """The post-processing of a dense head's outputs."""

    def detections(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Detections]:
        """Find the boxes of each of the B images above the head's score threshold, after NMS."""
        ...

    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        """Give the levels' logits by anchor, of all B images."""
        ...


def _nest(structure: Structure, tensors: Iterator[torch.Tensor]) -> Outputs:
    if isinstance(structure, list):
        return [_nest(item, tensors) for item in structure]
    return None if structure is None else next(tensors)
