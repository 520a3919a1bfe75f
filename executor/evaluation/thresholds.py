"""Count what is right and wrong from each score on, and find the score from which on a model is best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List

import numpy as np
from numpy.typing import NDArray

from executor.evaluation.boxes import Matches

# The scores from which on predictions are counted: what people set `conf_threshold` to. In the precision of scores.
THRESHOLDS = (np.arange(1001) / 1000).astype(np.float32)


@dataclass(frozen=True)
class AtThreshold:
    """Precision, recall and F1 of the predictions scored `threshold` and above, at IoU 0.5; 0 where undefined."""

    threshold: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Counts:
    """True and false positives of K classes from each of `THRESHOLDS` on, at IoU 0.5."""

    tp: NDArray[np.int32]  # (1001, K)
    fp: NDArray[np.int32]  # (1001, K)
    true_boxes: NDArray[np.int64]  # (K,)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Return the share of the predictions that is right, (1001, K); 0 where there is none."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Return the share of the true boxes that is found, (1001, K); 0 where there is none."""
        return _ratio(self.tp, self.true_boxes)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Return the harmonic mean of precision and recall, (1001, K)."""
        return _ratio(2 * self.tp, self.tp + self.fp + self.true_boxes)

    @property
    def pooled(self) -> Counts:
        """Count the boxes of all classes alike, as if they were one."""
        tp, fp = (counts.sum(axis=1, keepdims=True, dtype=np.int32) for counts in (self.tp, self.fp))
        return Counts(tp, fp, self.true_boxes.sum(keepdims=True))

    def at(self, levels: NDArray[np.int64]) -> List[AtThreshold]:
        """Return the numbers of each class at its own of `THRESHOLDS`, given by positions (K,)."""
        columns = np.arange(len(levels))
        chosen = Counts(self.tp[levels, columns][None], self.fp[levels, columns][None], self.true_boxes)
        numbers = zip(levels, chosen.precision[0], chosen.recall[0], chosen.f1[0])
        return [AtThreshold(int(level) / 1000, *map(float, values)) for level, *values in numbers]

    @property
    def best_levels(self) -> NDArray[np.int64]:
        """Find where F1 of each class is highest, (K,) positions; of several in a row the one in the middle."""
        f1, level = self.f1, np.arange(len(THRESHOLDS))[:, None]
        best = f1 == f1.max(axis=0)
        first = best.argmax(axis=0)
        past = np.where(best | (level < first), len(THRESHOLDS), level).min(axis=0)  # the first after the row
        return first + (past - first) // 2


def count_by_threshold(matches: Matches) -> Counts:
    """Count the predictions of a validation from each threshold on."""
    return Counts(_counts(matches, matches.right), _counts(matches, matches.wrong), matches.true_boxes)


def _counts(matches: Matches, chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
    level = np.searchsorted(THRESHOLDS, matches.score[chosen], side='right') - 1  # the last that a score reaches
    classes = matches.classes
    counts = np.bincount(level * classes + matches.label[chosen], minlength=len(THRESHOLDS) * classes)
    return counts.reshape(-1, classes)[::-1].cumsum(axis=0)[::-1].astype(np.int32)


def _ratio(part: NDArray[np.int32], whole: NDArray[np.signedinteger]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
