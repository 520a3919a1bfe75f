"""Find the images in which one model makes fewer errors than another, each at its own best threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import List, NamedTuple, Sequence

import numpy as np
from numpy.typing import NDArray

from executor.evaluation.boxes import Matches
from executor.evaluation.errors import Errors, find_errors, missed_boxes
from executor.evaluation.worst import WorstImage


@dataclass(frozen=True)
class ShownErrors:
    """The predictions that a person sees of a model, those scored `threshold` and above, and what is wrong with them.

    The others, most of all, are not kept.
    """

    matches: Matches
    errors: Errors
    missed: NDArray[np.bool_]  # (G,) of the true boxes

    @property
    def counts(self) -> NDArray[np.int64]:
        """Count the errors of each image, (images,)."""
        matches = self.matches
        wrong = np.bincount(matches.image[matches.wrong], minlength=matches.images)
        return wrong + np.bincount(matches.true_image[self.missed], minlength=matches.images)

    def of_image(self, image: int) -> WorstImage:
        """Return the errors of one image, by its position."""
        matches = self.matches
        here = matches.image == image
        return WorstImage(
            image=image,
            right=np.flatnonzero(matches.right & here),
            wrong=np.flatnonzero(matches.wrong & here),
            missed=np.flatnonzero(self.missed & (matches.true_image == image)),
        )


def shown_errors(matches: Matches, threshold: float) -> ShownErrors:
    """Find what is wrong with the predictions scored `threshold` and above."""
    kept = matches.counted & (matches.score >= np.float32(threshold))
    of_predictions = ('image', 'box', 'label', 'score', 'matched', 'counted')
    shown = replace(matches, **{name: getattr(matches, name)[kept] for name in of_predictions})
    errors = find_errors(shown)
    return ShownErrors(shown, errors, missed_boxes(shown, errors, np.ones(len(shown.image), bool)))


class Change(NamedTuple):
    """An image of which one model makes more errors than the other: its positions, and the errors, in each."""

    first: int
    second: int
    errors_first: int
    errors_second: int

    @property
    def more(self) -> int:
        """Count how many more errors the second model makes."""
        return self.errors_second - self.errors_first


def changed_images(
    first: ShownErrors, second: ShownErrors, first_images: Sequence[str], second_images: Sequence[str]
) -> List[Change]:
    """List the images that changed, of those that both have by name; the greatest changes first."""
    places = {name: place for place, name in enumerate(second_images)}
    before, after = first.counts.tolist(), second.counts.tolist()
    both = [(place, places[name]) for place, name in enumerate(first_images) if name in places]
    changes = [Change(one, other, before[one], after[other]) for one, other in both]
    return sorted((change for change in changes if change.more), key=lambda change: -abs(change.more))
