"""Find the images with the most errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List

import numpy as np
from numpy.typing import NDArray

from executor.evaluation.boxes import Matches
from executor.evaluation.errors import Errors, missed_boxes


@dataclass(frozen=True)
class WorstImage:
    """The errors of one image, at a threshold of scores."""

    image: int  # its position
    right: NDArray[np.int64]  # positions of the predictions that are right
    wrong: NDArray[np.int64]  # positions of those that are wrong
    missed: NDArray[np.int64]  # positions of true boxes

    @property
    def errors(self) -> int:
        """Count them."""
        return len(self.wrong) + len(self.missed)


def worst_images(matches: Matches, errors: Errors, threshold: float, most: int) -> List[WorstImage]:
    """Find up to `most` images with the most errors; of equally many, those with the higher scores of wrong boxes."""
    shown = matches.counted & (matches.score >= np.float32(threshold))
    right, wrong = shown & matches.right, shown & matches.wrong
    missed = missed_boxes(matches, errors, shown)
    count = np.bincount(matches.image[wrong], minlength=matches.images)
    count += np.bincount(matches.true_image[missed], minlength=matches.images)
    weight = np.bincount(matches.image[wrong], matches.score[wrong], minlength=matches.images)
    order = np.lexsort([-weight, -count])[:most]
    return [
        WorstImage(
            image=image,
            right=np.flatnonzero(right & (matches.image == image)),
            wrong=np.flatnonzero(wrong & (matches.image == image)),
            missed=np.flatnonzero(missed & (matches.true_image == image)),
        )
        for image in order[count[order] > 0].tolist()
    ]
