"""Say what a head adapter is: it makes boxes, and maps for mining, of what a dense head puts out."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Protocol, Sequence, Tuple

import torch

from executor.detections import Detections, HeadMap
from executor.images.prepare import Prepared


class RawOutputs(NamedTuple):
    """The head's outputs as mmdet's `forward` returns them, made flat; `structure` tells how to nest them again."""

    tensors: Tuple[torch.Tensor, ...]
    structure: object

    def nested(self) -> Any:
        """Nest the outputs as mmdet's `predict_by_feat` wants them."""
        remaining = iter(self.tensors)

        def build(part: object) -> object:
            if isinstance(part, list):
                return [build(item) for item in part]
            return None if part is None else next(remaining)

        return build(self.structure)


class HeadAdapter(Protocol):
    """The post-processing of a dense head's outputs."""

    def detections(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Detections]:
        """Find the boxes of each of the B images above the head's score threshold, after NMS."""

    def head_maps(self, raw: RawOutputs) -> List[HeadMap]:
        """Give the levels' logits by anchor, of all B images."""
