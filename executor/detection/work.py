"""Compose what is done with the images of a sweep: detect in them, then score them where mining is asked for."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import torch

from executor.detection.halving import Halving
from executor.detection.statistics import FINDING, NETWORK, SCORING, Stopwatch
from executor.detection.sweep import Result
from executor.detections import Detections, HeadMap, no_detections
from executor.detector.detector import Detector, Found
from executor.images.loader import LoadedImage
from executor.images.look import WithLook
from executor.images.prepare import Preparation, Prepared, SizeOnly
from mining.base import Candidates, Explainer, Explanation, Scorer, SeenView, ViewScorer
from mining.catalog import Needs

_MOST_DETECTIONS = 100  # that an algorithm counts, beside the model's own score threshold
_VIEWS = 4  # of an image, about
_NOTHING_NEEDED = Needs()


class DetectAndScore:
    """The work of inference, of mining, or of both on the same detections; see `sweep.Work`.

    Args:
        detector: None where nobody needs one: images are then only decoded.
        scorer, needs: the algorithm of mining and what it needs; None where nobody mines.
        looks: whether results tell what the images look like.
    """

    def __init__(
        self,
        detector: Optional[Detector],
        scorer: Optional[Scorer] = None,
        needs: Needs = _NOTHING_NEEDED,
        looks: bool = False,
    ) -> None:
        self._detector = detector
        self.scorer = scorer
        self._needs = needs
        self._prepare: Preparation = SizeOnly() if detector is None else detector.prepare
        self.prepare: Preparation = WithLook(self._prepare) if looks else self._prepare
        self.calls_at_once = 1 if detector is None else detector.calls_at_once
        self.keep_images = needs.views
        self._detect_views: Halving[Prepared, Found] = Halving(self._detect)

    def enter_thread(self) -> None:
        """Make the calling thread ready for the detector."""
        if self._detector is not None:
            self._detector.enter_thread()

    def units(self, images: Sequence[LoadedImage]) -> List[List[LoadedImage]]:
        """Part a batch into what is detected in at once, and scored with it."""
        if self._detector is None:
            return [list(images)] if images else []
        prepared = [one.prepared for one in images if one.prepared is not None]
        return [[images[number] for number in group] for group in self._detector.groups(prepared)]

    def batch_size(self, samples: int) -> int:
        """Choose how many images to load together: beside one may come its views, and its decoded image has to wait."""
        return max(1, samples // _VIEWS) if self._needs.views else samples

    def __call__(self, images: Sequence[LoadedImage], stopwatch: Stopwatch) -> List[Result]:
        """Detect in images and score them; what only the algorithm needed is dropped."""
        prepared = [one.prepared for one in images if one.prepared is not None]
        found = self._detect(prepared, stopwatch)
        if self.scorer is None:
            return [Result(one.detections, sound=one.sound) for one in found]
        counted = [self._counted(one.detections) for one in found]
        whys = self._score(self.scorer, images, found, counted, stopwatch)
        return [
            Result(one.detections, score, one.sound, boxes, why, image.look)
            for image, one, boxes, (score, why) in zip(prepared, found, counted, whys)
        ]

    def _detect(self, prepared: Sequence[Prepared], stopwatch: Stopwatch) -> List[Found]:
        if self._detector is None:
            return [Found(no_detections()) for _ in prepared]
        with stopwatch.timed(NETWORK):
            raw = self._detector.forward(prepared)
        with stopwatch.timed(FINDING):
            return self._detector.find(raw, prepared)

    def _score(
        self,
        scorer: Scorer,
        images: Sequence[LoadedImage],
        found: Sequence[Found],
        counted: Sequence[Detections],
        stopwatch: Stopwatch,
    ) -> List[Tuple[float, Optional[Explanation]]]:
        views = self._views(scorer, images, counted, stopwatch) if isinstance(scorer, ViewScorer) else ()
        with stopwatch.timed(SCORING):
            candidates = Candidates(
                positions=[one.position for one in images],
                detections=counted,
                views=views,
                head_maps=_together([one.head_maps for one in found]) if self._needs.head_maps else (),
                input_size=found[0].input_size,
                scales=[one.prepared.scale for one in images if one.prepared is not None],
            )
            if isinstance(scorer, Explainer):
                return [(why.score, why) for why in scorer.explain(candidates)]
            return [(score, None) for score in scorer.score(candidates).tolist()]

    def _views(
        self, scorer: ViewScorer, images: Sequence[LoadedImage], detections: Sequence[Detections], stopwatch: Stopwatch
    ) -> List[List[SeenView]]:
        """Detect in the views of each image, all views as one batch."""
        with stopwatch.timed(SCORING):
            made = []
            for one, here in zip(images, detections):
                assert one.image is not None, 'the loader was not asked to keep images'
                made.append(scorer.make_views(one.image, here, one.position))
            prepared = [self._prepare(view.image) for views in made for view in views]
        found = iter(self._detect_views(prepared, stopwatch))
        return [[SeenView(view.boxes, self._counted(next(found).detections)) for view in views] for views in made]

    def _counted(self, detections: Detections) -> Detections:
        """Choose those that the algorithms count: above the model's own threshold, the best hundred."""
        if self._detector is None:
            return detections
        chosen = detections.scores >= self._detector.score_threshold
        return detections.select(chosen).select(slice(_MOST_DETECTIONS))


def _together(maps: Sequence[Sequence[HeadMap]]) -> List[HeadMap]:
    """Join the levels of several images, each of B = 1, to levels of B = len(maps)."""
    if len(maps) == 1:
        return list(maps[0])
    levels = []
    for level in zip(*maps):
        logits, objectness = zip(*level)
        levels.append(HeadMap(torch.cat(logits), None if objectness[0] is None else torch.cat(objectness)))
    return levels
