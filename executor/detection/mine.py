"""Write the score of every candidate into result.tsv, and show both ends of the ranking."""

from __future__ import annotations

import heapq
import logging
from contextlib import suppress
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple

from executor import dist
from executor.contract.env import Env
from executor.contract.output.mining_result import score_text, write_mining_result
from executor.contract.output.parts import MINING, PartWriter, parts_dir, read_parts
from executor.contract.params import MiningParams
from executor.detection.sweep import Outcome
from executor.detections import Detections
from executor.report.pictures import draw_detections, write_picture

logger = logging.getLogger(__name__)

_UNDECODABLE = -100.0  # below every score of every algorithm
_SHOWN = 5  # images of the highest and of the lowest scores
_SHOWN_SCORE = 0.1  # boxes of at least this
_PICTURE_FILE = 'mining-examples.jpg'


class _Ranked(NamedTuple):
    """An image at one end of the ranking; of equal scores the first in the index is the larger."""

    score: float  # its negative at the lowest end
    before: int  # its position, negative
    detections: Detections


class MiningSink:
    """The sink of this rank's scores; in a `with` block, since it keeps its part open.

    Args:
        env, params: the task.
        paths: the whole index.
    """

    def __init__(self, env: Env, params: MiningParams, paths: Sequence[str]) -> None:
        self._env = env
        self._params = params
        self._paths = paths
        self._part = PartWriter(parts_dir(env), MINING, dist.rank())
        self._highest: List[_Ranked] = []  # heaps
        self._lowest: List[_Ranked] = []

    def __enter__(self) -> MiningSink:
        return self

    def __exit__(self, *error: object) -> None:
        self._part.close()

    def write(self, outcome: Outcome) -> None:
        """Write one image's score; the lowest there is for one that cannot be decoded."""
        if outcome.result is None:
            self._part.write(outcome.position, score_text(_UNDECODABLE))
            return
        detections, score = outcome.result.detections, outcome.result.score
        assert score is not None, f'no score for position {outcome.position}'
        self._part.write(outcome.position, score_text(score))
        _keep_largest(self._highest, _Ranked(score, -outcome.position, detections))
        _keep_largest(self._lowest, _Ranked(-score, -outcome.position, detections))

    def finish(self) -> None:
        """Merge the parts on rank 0 and show the ends of the ranking; called on every rank when all is written."""
        self._part.close()
        ends = dist.gather((self._highest, self._lowest))
        if dist.rank() != 0:
            return
        parts = read_parts(parts_dir(self._env), MINING, dist.world_size(), len(self._paths))
        write_mining_result(self._env, self._paths, parts)
        algorithm, file = self._params.mining_algorithm, self._env.output.mining_result_file
        logger.info('scores by %s, the highest most worth labelling: %s', algorithm, file)
        highest, lowest = (
            sorted((item for end in ends for item in end[side]), key=_order, reverse=True)[:_SHOWN] for side in (0, 1)
        )
        self._show(highest, [item._replace(score=-item.score) for item in reversed(lowest)])

    def _show(self, highest: Sequence[_Ranked], lowest: Sequence[_Ranked]) -> None:
        """Name the images at the two ends in the log, and draw them."""
        file = self._env.output.root_dir / _PICTURE_FILE
        with suppress(OSError):  # what cannot be removed does no harm, and there may be none
            file.unlink()  # an earlier run's
        for words, end in (('highest', highest), ('lowest', lowest)):
            told = ', '.join(f'{self._path(item).name} {item.score:.4g}' for item in end)
            logger.info('%s: %s', words, told)
        if not highest:
            return
        tiles = [(self._path(item), item.detections) for item in (*highest, *lowest)]
        captions = [f'highest {number}: {item.score:.4g}' for number, item in enumerate(highest, start=1)]
        captions += [f'lowest {number}: {item.score:.4g}' for number, item in zip(range(len(lowest), 0, -1), lowest)]
        names = self._params.class_names
        if write_picture(file, lambda: draw_detections(tiles, names, _SHOWN_SCORE, captions, columns=_SHOWN)):
            logger.info('pictures of the highest and the lowest: %s', file)

    def _path(self, item: _Ranked) -> Path:
        return Path(self._paths[-item.before])


def _keep_largest(heap: List[_Ranked], item: _Ranked) -> None:
    """Keep the _SHOWN largest items."""
    if len(heap) < _SHOWN:
        heapq.heappush(heap, item)
    elif _order(item) > _order(heap[0]):
        heapq.heapreplace(heap, item)


def _order(item: _Ranked) -> Tuple[float, int]:
    return item.score, item.before
