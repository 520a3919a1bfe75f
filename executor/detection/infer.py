"""Write the boxes of every candidate into infer-result.json, and show some of them."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from executor import dist
from executor.contract.env import Env
from executor.contract.output.infer_result import ListedBox, ResultKeys, infer_line, write_infer_result
from executor.contract.output.parts import INFER, PartWriter, parts_dir, read_parts
from executor.contract.params import InferParams
from executor.detection.best import Best
from executor.detection.shown import remove_shown, show
from executor.detection.sweep import Outcome
from executor.detections import Detections, class_counts, to_whole_xywh
from executor.report.infer_page import show_inference
from executor.report.infer_report import BANDS, SCORE_BINS, InferReport, band_of
from executor.report.pictures import draw_detections, evenly_spaced, write_picture
from executor.report.table import box_table

logger = logging.getLogger(__name__)

_PICTURES = 12
_PICTURE_FILE = 'infer-examples.jpg'
_PAGE = 'infer'
_OF_A_BAND = 8  # images on the page


class _Found(NamedTuple):
    """What a rank keeps of its share; as little of a million images as of a hundred."""

    boxes: NDArray[np.int64]  # (classes,)
    images: NDArray[np.int64]  # (classes,) with a box of the class
    scores: NDArray[np.int64]  # (SCORE_BINS,) boxes
    in_bands: NDArray[np.int64]  # (bands,) images
    samples: Sequence[Best[Detections]]  # of each band


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
        classes = len(params.class_names)
        boxes, images, scores, in_bands = (
            np.zeros(size, np.int64) for size in (classes, classes, SCORE_BINS, len(BANDS))
        )
        self._found = _Found(boxes, images, scores, in_bands, [Best(_OF_A_BAND) for _ in BANDS])
        self._ranks: List[_Found] = []  # all of them, at the end
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
            self._count(detections, outcome.position)
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

    def _count(self, detections: Detections, position: int) -> None:
        found = self._found
        counts = class_counts(detections.labels, len(found.boxes))
        found.boxes[:] += counts
        found.images[:] += counts > 0
        bins = np.minimum((detections.scores * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
        found.scores[:] += class_counts(bins, SCORE_BINS)
        band = band_of(detections)
        found.in_bands[band] += 1
        # Chosen by their places alone, so the same ones on any number of ranks; multiples of it lie evenly (Knuth).
        found.samples[band].add(-(position * 2654435769 % 2**32), position, replace(detections, class_scores=None))

    def finish(self) -> None:
        """Merge the parts into infer-result.json on rank 0; called on every rank when all images are written."""
        self._part.close()
        self._ranks = dist.gather(self._found)
        if dist.rank() != 0:
            return
        assert self._keys is not None, 'rank 0 knows the keys'
        parts = read_parts(parts_dir(self._env), INFER, dist.world_size(), len(self._paths))
        write_infer_result(self._env, self._keys, parts)
        boxes, images = self._sum('boxes').tolist(), self._sum('images').tolist()
        logger.info('%d boxes of score %g and above', sum(boxes), self._params.conf_threshold)
        if any(boxes):
            logger.info('boxes of each class:\n%s', box_table(self._params.class_names, boxes, images))
        logger.info('result: %s', self._env.output.infer_result_file)

    def show(self) -> None:
        """Draw a few images, and make the page."""
        file = self._env.output.root_dir / _PICTURE_FILE
        remove_shown(file)
        names, threshold = self._params.class_names, self._params.conf_threshold
        if self._examples and write_picture(file, lambda: draw_detections(self._examples, names, threshold)):
            logger.info('pictures of some images with their boxes: %s', file)
        show(self._env, _PAGE, lambda page, board: show_inference(self._report(), page, board))

    def _report(self) -> InferReport:
        in_bands = self._sum('in_bands')
        return InferReport(
            class_names=self._params.class_names,
            threshold=self._params.conf_threshold,
            undecodable=len(self._paths) - int(in_bands.sum()),
            boxes=self._sum('boxes'),
            images=self._sum('images'),
            scores=self._sum('scores'),
            in_bands=in_bands,
            samples=[
                [(self._paths[position], found) for _, position, found in Best.joined(band)]
                for band in zip(*(rank.samples for rank in self._ranks))
            ],
        )

    def _sum(self, counts: str) -> NDArray[np.int64]:
        """Add up the counts of all ranks."""
        found: NDArray[np.int64] = np.sum([getattr(rank, counts) for rank in self._ranks], axis=0)
        return found
