"""Write the score of every candidate into result.tsv, and show the highest, with why, and the lowest."""

from __future__ import annotations

import logging
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from executor import dist
from executor.contract.env import Env
from executor.contract.output.mining_result import score_text, write_mining_result
from executor.contract.output.parts import MINING, PartWriter, parts_dir, read_parts
from executor.contract.params import MiningParams
from executor.detection.best import Best
from executor.detection.shown import remove_shown, show
from executor.detection.sweep import Outcome
from executor.detection.vary import vary
from executor.detections import Detections, class_counts
from executor.report.mining_page import show_mining
from executor.report.mining_report import SHOWN_SCORE, MiningReport, Ranked, Varied
from executor.report.pictures import draw_detections, write_picture
from mining.base import ClassWeigher, Explanation, Scorer, ViewScorer
from mining.diversity import part_size

logger = logging.getLogger(__name__)

T = TypeVar('T')

_UNDECODABLE = -100.0  # below every score of every algorithm
_PICTURED = 5  # images of the highest and of the lowest scores, in the picture and in the log
_SHOWN = 50  # of the highest, on the page
_COUNTED = 1000  # of the highest, whose classes are counted
_PICTURE_FILE = 'mining-examples.jpg'
_PAGE = 'mining'

_Shown = Tuple[Detections, Optional[Explanation]]


class _Found(NamedTuple):
    """What a rank keeps of its share; as little of a million images as of a hundred thousand."""

    highest: Best[_Shown]
    lowest: Best[Detections]
    labels: Best[NDArray[np.int64]]  # of the boxes in the highest
    looks: Best[NDArray[np.int8]]  # of the highest, where they are put into another order
    boxes: NDArray[np.int64]  # (classes,) in all
    nothing: NDArray[np.int64]  # (1,) images without a box


class MiningSink:
    """The sink of this rank's scores; in a `with` block, since it keeps its part open.

    Args:
        env, params: the task.
        paths: the whole index.
        scorer: the algorithm.
    """

    def __init__(self, env: Env, params: MiningParams, paths: Sequence[str], scorer: Scorer) -> None:
        self._env = env
        self._params = params
        self._paths = paths
        self._scorer = scorer
        self._part = PartWriter(parts_dir(env), MINING, dist.rank())
        part = part_size(len(paths)) if params.diversity == 'on' else 0
        self._found = _Found(
            highest=Best(part or _SHOWN),
            lowest=Best(_PICTURED),
            labels=Best(part or _COUNTED),
            looks=Best(part),
            boxes=np.zeros(len(params.class_names), np.int64),
            nothing=np.zeros(1, np.int64),
        )
        self._varied: Optional[Varied] = None  # at the end
        self._ranks: List[_Found] = []  # all of them, likewise
        self._scores = array('d')  # of all candidates by the index, likewise; eight bytes each

    def __enter__(self) -> MiningSink:
        return self

    def __exit__(self, *error: object) -> None:
        self._part.close()

    def write(self, outcome: Outcome) -> None:
        """Write one image's score; the lowest there is for one that cannot be decoded."""
        result, position = outcome.result, outcome.position
        if result is None:
            self._part.write(position, score_text(_UNDECODABLE))
            return
        assert result.score is not None, f'no score for position {position}'
        self._part.write(position, score_text(result.score))
        counted = replace(result.counted, class_scores=None)  # which are many
        labels = counted.labels[counted.scores >= SHOWN_SCORE]
        self._found.highest.add(result.score, position, (counted, result.why))
        self._found.lowest.add(-result.score, position, counted)
        self._found.labels.add(result.score, position, labels)
        if result.look is not None:
            self._found.looks.add(result.score, position, result.look)
        self._found.boxes[:] += class_counts(labels, len(self._found.boxes))
        self._found.nothing[:] += len(counted) == 0

    def finish(self) -> None:
        """Merge the parts into result.tsv on rank 0; called on every rank when all is written."""
        self._part.close()
        found = self._found
        if self._params.diversity == 'on':
            looks = dist.gather(found.looks)
            self._varied = dist.from_first(lambda: vary(looks))
            first = self._varied.order
            highest, labels = found.highest.only(set(first[:_SHOWN])), found.labels.only(set(first[:_COUNTED]))
            found = found._replace(highest=highest, labels=labels, looks=Best(0))
        self._ranks = dist.gather(found)
        if dist.rank() != 0:
            return
        parts = read_parts(parts_dir(self._env), MINING, dist.world_size(), len(self._paths))
        write_mining_result(self._env, self._paths, self._noted(parts), self._varied.order if self._varied else ())
        algorithm, file = self._params.mining_algorithm, self._env.output.mining_result_file
        logger.info('scores by %s, the highest most worth labelling: %s', algorithm, file)

    def _noted(self, parts: Iterable[Tuple[int, str]]) -> Iterator[Tuple[int, str]]:
        """Note the scores that pass."""
        for position, line in parts:
            self._scores.append(float(line))
            yield position, line

    def show(self) -> None:
        """Name the images at the two ends in the log, draw them, and make the page."""
        places: Dict[int, int] = {}
        if self._varied is not None:
            places = {position: place for place, position in enumerate(self._varied.by_score, start=1)}
        shown = self._joined([rank.highest for rank in self._ranks])
        highest = [
            Ranked(Path(self._paths[position]), position, score, *item, places.get(position))
            for score, position, item in shown
        ]
        lowest = [
            Ranked(Path(self._paths[position]), position, -score, found)
            for score, position, found in reversed(Best.joined([rank.lowest for rank in self._ranks]))
        ]
        self._draw(highest[:_PICTURED], lowest)
        show(self._env, _PAGE, lambda page, board: show_mining(self._report(highest), page, board))

    def _report(self, highest: Sequence[Ranked]) -> MiningReport:
        scores = np.array(self._scores)
        sound = scores != _UNDECODABLE
        views = self._scorer.make_views if isinstance(self._scorer, ViewScorer) else None
        return MiningReport(
            algorithm=self._params.mining_algorithm,
            class_names=self._params.class_names,
            scores=-np.sort(-scores[sound]),
            undecodable=len(scores) - int(sound.sum()),
            nothing_found=sum(int(rank.nothing[0]) for rank in self._ranks),
            boxes=np.sum([rank.boxes for rank in self._ranks], axis=0),
            labels=[labels for _, _, labels in self._joined([rank.labels for rank in self._ranks])],
            highest=highest,
            varied=self._varied,
            class_weights=self._scorer.class_weights if isinstance(self._scorer, ClassWeigher) else (),
            make_views=views,
        )

    def _draw(self, highest: Sequence[Ranked], lowest: Sequence[Ranked]) -> None:
        file = self._env.output.root_dir / _PICTURE_FILE
        remove_shown(file)
        for words, end in (('highest', highest), ('lowest', lowest)):
            told = ', '.join(f'{item.path.name} {item.score:.4g}{_by_score(item)}' for item in end)
            logger.info('%s: %s', words, told)
        if not highest:
            return
        tiles = [(item.path, item.found) for item in (*highest, *lowest)]
        captions = [f'highest {number}: {item.score:.4g}' for number, item in enumerate(highest, start=1)]
        captions += [f'lowest {number}: {item.score:.4g}' for number, item in zip(range(len(lowest), 0, -1), lowest)]
        names = self._params.class_names
        if write_picture(file, lambda: draw_detections(tiles, names, SHOWN_SCORE, captions, columns=_PICTURED)):
            logger.info('pictures of the highest and the lowest: %s', file)

    def _joined(self, ranks: Sequence[Best[T]]) -> List[Tuple[float, int, T]]:
        """Join what the ranks keep, in the order of result.tsv."""
        joined = Best.joined(ranks)
        if self._varied is None:
            return joined
        found = {entry[1]: entry for entry in joined}
        return [found[position] for position in self._varied.order[: len(joined)]]


def _by_score(item: Ranked) -> str:
    return '' if item.place is None else f' ({item.place} by score alone)'
