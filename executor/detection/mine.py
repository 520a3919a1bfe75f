"""Mining: a score for every candidate, on its way from the sweep into result.tsv."""

from __future__ import annotations

import heapq
import logging
import time
from pathlib import Path
from typing import Any, List, Sequence, Tuple

import torch

from executor import dist
from executor.contract.env import Env
from executor.contract.output.candidates import score_text, write_mining_result
from executor.contract.output.parts import MINING, PartWriter, parts_dir, read_parts
from executor.contract.params import MiningParams
from executor.detections import Detections, HeadMap
from executor.detector.detector import Found
from executor.images.loader import Loaded
from executor.report.pictures import draw_detections, write_picture
from executor.detection.sweep import Outcome
from mining.base import Candidates, Scorer, SeenView, ViewScorer
from mining.catalog import ALGORITHMS, Settings, make_scorer

logger = logging.getLogger(__name__)

_MOST_DETECTIONS = 100  # an image, beside the model's own score threshold
_UNDECODABLE = -100.0  # below every score of every algorithm
_SHOWN = 5  # images of the highest and of the lowest scores
_SHOWN_SCORE = 0.1  # boxes of at least this
_PICTURE_FILE = 'mining-examples.jpg'


def scorer_of(params: MiningParams) -> Scorer:
    """The algorithm that the task names."""
    settings = Settings(params.class_distribution_scores, params.aldd_exact, params.seed)
    return make_scorer(params.mining_algorithm, settings)


class Mining:
    """Scores images where they are detected, then takes this rank's outcomes in index order; in a `with` block.

    Args:
        env, params: the task.
        scorer: `scorer_of(params)`.
        detector: what runs on the images, and on their views where the scorer wants some.
        paths: the whole index.
    """

    def __init__(self, env: Env, params: MiningParams, scorer: Scorer, detector: Any, paths: Sequence[str]) -> None:
        self._env = env
        self._params = params
        self._scorer = scorer
        self._detector = detector
        self._paths = paths
        self._part = PartWriter(parts_dir(env), MINING, dist.rank())
        self._highest: List[Any] = []  # heaps of (score or -score, -position, detections)
        self._lowest: List[Any] = []

    def __enter__(self) -> Mining:
        return self

    def __exit__(self, *error: object) -> None:
        self._part.close()

    def score(self, loaded: Sequence[Loaded], found: Sequence[Found]) -> List[Found]:
        """Score images of one batch; what only the scorer needed is dropped."""
        started = time.perf_counter()
        needs, detector = ALGORITHMS[self._params.mining_algorithm], self._detector
        detections = [self._counted(one.detections) for one in found]
        working = 0.0  # of the detector, on the views
        views: Sequence[Sequence[SeenView]] = ()
        if isinstance(self._scorer, ViewScorer):
            views, working = self._views(self._scorer, loaded, detections)
        candidates = Candidates(
            positions=[one.position for one in loaded],
            detections=detections,
            views=views,
            head_maps=_together([one.head_maps for one in found]) if needs.head_maps else (),
            input_size=found[0].input_size,
        )
        scores = self._scorer.score(candidates)
        detector.seconds.add('scoring', time.perf_counter() - started - working)
        return [one._replace(score=float(score), head_maps=()) for one, score in zip(found, scores)]

    def _counted(self, detections: Detections) -> Detections:
        """Those that the algorithms count: above the model's own threshold, the best hundred."""
        chosen = detections.scores >= self._detector.score_threshold
        return detections.select(chosen).select(slice(_MOST_DETECTIONS))

    def _views(
        self, scorer: ViewScorer, loaded: Sequence[Loaded], detections: Sequence[Detections]
    ) -> Tuple[List[List[SeenView]], float]:
        """What the detector finds in the views of each image, all views as one batch, and the seconds it took."""
        made = [scorer.make_views(one.image, here, one.position) for one, here in zip(loaded, detections)]
        prepared = [self._detector.prepare(view.image) for views in made for view in views]
        started = time.perf_counter()
        found = iter(self._detector.detect_here(prepared))
        seconds = time.perf_counter() - started
        seen = [[SeenView(view.boxes, self._counted(next(found).detections)) for view in views] for views in made]
        return seen, seconds

    def take(self, outcome: Outcome) -> None:
        """Write one image's score; the lowest there is for one that cannot be decoded."""
        if outcome.found is None:
            self._part.write(outcome.position, score_text(_UNDECODABLE))
            return
        score = outcome.found.score
        self._part.write(outcome.position, score_text(score))
        shown = outcome.found.detections
        _keep_first(self._highest, (score, -outcome.position, shown))
        _keep_first(self._lowest, (-score, -outcome.position, shown))

    def finish(self) -> None:
        """On every rank, when all images are taken: rank 0 merges the parts and draws the ends of the ranking."""
        self._part.close()
        ends = dist.gather((self._highest, self._lowest))
        if dist.rank() != 0:
            return
        parts = read_parts(parts_dir(self._env), MINING, dist.world_size(), len(self._paths))
        write_mining_result(self._env, self._paths, parts)
        logger.info('scores by %s, the highest most worth labelling: %s', self._params.mining_algorithm, self._result())
        highest, lowest = (
            sorted((item for end in ends for item in end[side]), key=_order, reverse=True)[:_SHOWN] for side in (0, 1)
        )
        self._tell(highest, [(-score, position, shown) for score, position, shown in reversed(lowest)])

    def _result(self) -> Path:
        return self._env.output.mining_result_file

    def _tell(self, highest: Sequence[Any], lowest: Sequence[Any]) -> None:
        """The two ends of the ranking: names into the log, images into a picture."""
        file = self._env.output.root_dir / _PICTURE_FILE
        file.unlink(missing_ok=True)  # an earlier run's
        for words, end in (('highest', highest), ('lowest', lowest)):
            told = ', '.join(f'{Path(self._paths[-position]).name} {score:.4g}' for score, position, _ in end)
            logger.info('%s: %s', words, told)
        if not highest:
            return
        tiles = [(Path(self._paths[-position]), shown) for _, position, shown in (*highest, *lowest)]
        captions = [f'highest {number}: {item[0]:.4g}' for number, item in enumerate(highest, start=1)]
        captions += [f'lowest {number}: {item[0]:.4g}' for number, item in zip(range(len(lowest), 0, -1), lowest)]
        names = self._params.class_names
        if write_picture(file, lambda: draw_detections(tiles, names, _SHOWN_SCORE, captions, columns=_SHOWN)):
            logger.info('pictures of the highest and the lowest: %s', file)


def _keep_first(heap: List[Any], item: Any) -> None:
    """Keep the _SHOWN largest items, of equal ones those that come first in the index."""
    if len(heap) < _SHOWN:
        heapq.heappush(heap, item)
    elif _order(item) > _order(heap[0]):
        heapq.heapreplace(heap, item)


def _order(item: Any) -> Tuple[float, int]:
    return item[:2]


def _together(maps: Sequence[Tuple[HeadMap, ...]]) -> List[HeadMap]:
    """The levels of several images, each of B = 1, as levels of B = len(maps)."""
    if len(maps) == 1:
        return list(maps[0])
    levels = []
    for level in zip(*maps):
        logits, objectness = zip(*level)
        together = None if objectness[0] is None else torch.cat(objectness)
        levels.append(HeadMap(torch.cat(logits), together))
    return levels
