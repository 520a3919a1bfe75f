"""Write the boxes of every candidate into infer-result.json, and show some of them."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np

from executor import dist
from executor.contract.env import Env
from executor.contract.output.infer_result import ListedBox, ResultKeys, infer_line, write_infer_result
from executor.contract.output.parts import INFER, PartWriter, parts_dir, read_parts
from executor.contract.params import InferParams
from executor.detection.sweep import Outcome
from executor.detections import Detections, class_counts, to_whole_xywh
from executor.report.pictures import draw_detections, evenly_spaced, write_picture
from executor.report.table import box_table

logger = logging.getLogger(__name__)

_PICTURES = 12
_PICTURE_FILE = 'infer-examples.jpg'


class InferSink:
    """The sink of this rank's boxes; in a `with` block, since it keeps its part open.

    Args:
        env, params: the task.
        paths: the whole index.
        positions: this rank's share.
        keys: of the index, for rank 0.
    """

    def __init__(
        self,
        env: Env,
        params: InferParams,
        paths: Sequence[str],
        positions: Sequence[int],
        keys: Optional[ResultKeys] = None,
    ) -> None:
        self._env = env
        self._params = params
        self._paths = paths
        self._keys = keys
        self._part = PartWriter(parts_dir(env), INFER, dist.rank())
        self._boxes = np.zeros(len(params.class_names), np.int64)
        self._images = np.zeros(len(params.class_names), np.int64)
        self._shown = {positions[number] for number in evenly_spaced(len(positions), _PICTURES)}
        self._examples: List[Tuple[Path, Detections]] = []

    def __enter__(self) -> InferSink:
        return self

    def __exit__(self, *error: object) -> None:
        self._part.close()

    def write(self, outcome: Outcome) -> None:
        """Write one image's boxes; none for one that cannot be decoded."""
        boxes: List[ListedBox] = []
        if outcome.size is not None and outcome.result is not None:
            detections = outcome.result.detections
            # What counts: the thresholds that the detector was loaded with only save it work.
            detections = detections.select(detections.scores >= self._params.conf_threshold)
            boxes = self._listed(detections, outcome.size)
            counts = class_counts(detections.labels, len(self._boxes))
            self._boxes += counts
            self._images += counts > 0
            if outcome.position in self._shown:
                self._examples.append((Path(self._paths[outcome.position]), detections))
        self._part.write(outcome.position, infer_line(boxes))

    def _listed(self, detections: Detections, size: Tuple[int, int]) -> List[ListedBox]:
        whole = to_whole_xywh(detections.boxes, *size).tolist()
        names = self._params.class_names
        return [
            (names[label], score, (x, y, w, h))
            for label, score, (x, y, w, h) in zip(detections.labels.tolist(), detections.scores.tolist(), whole)
        ]

    def finish(self) -> None:
        """Merge the parts on rank 0, draw a few images and sum up; called on every rank when all images are written."""
        self._part.close()
        counts = np.sum(dist.gather(np.stack([self._boxes, self._images])), axis=0)
        if dist.rank() != 0:
            return
        assert self._keys is not None, 'rank 0 knows the keys'
        parts = read_parts(parts_dir(self._env), INFER, dist.world_size(), len(self._paths))
        write_infer_result(self._env, self._keys, parts)
        boxes, images = counts.tolist()
        logger.info('%d boxes of score %g and above', sum(boxes), self._params.conf_threshold)
        if any(boxes):
            logger.info('boxes of each class:\n%s', box_table(self._params.class_names, boxes, images))
        logger.info('result: %s', self._env.output.infer_result_file)
        file = self._env.output.root_dir / _PICTURE_FILE
        with suppress(OSError):  # what cannot be removed does no harm, and there may be none
            file.unlink()  # an earlier run's
        names, threshold = self._params.class_names, self._params.conf_threshold
        if self._examples and write_picture(file, lambda: draw_detections(self._examples, names, threshold)):
            logger.info('pictures of some images with their boxes: %s', file)
