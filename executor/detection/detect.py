"""Inference and mining: one sweep of the detector over the candidates, for both where both are asked for."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any, List, Optional, Sequence

from executor import dist
from executor.contract.errors import ImageError, ParameterError
from executor.contract.index import CandidateIndex, read_candidate_index
from executor.contract.output.candidates import clear_candidate_results
from executor.contract.output.parts import remove_parts
from executor.contract.output.result_keys import ResultKeys
from executor.contract.params import Job
from executor.contract.progress import Progress
from executor.detector.detector import NoDetector
from executor.detector.load import NoHeadMaps, load_detector
from executor.detection.infer import Inference
from executor.log import duration
from executor.detection.mine import Mining, scorer_of
from executor.detection.sweep import Sweep, Tally, describe_time
from mining.base import Needs, Scorer

logger = logging.getLogger(__name__)


def detect(job: Job, progress: Progress) -> None:
    """Mine, infer, or both, on every rank; rank 0 leaves the results.

    Mining and inference look at the same detections, so both take one sweep.

    Raises:
        ExecutorError: with the platform's code, see each room.
        ImageError: no candidate can be decoded.
    """
    env = job.env
    scorer = scorer_of(job.mining) if job.mining else None
    index = read_candidate_index(env.input.candidate_index_file)
    keys: Optional[ResultKeys] = None
    if dist.rank() == 0:
        clear_candidate_results(env)
        keys = ResultKeys(index)
        _warn_of_repeated(index, keys)
    dist.wait_for_all()
    try:
        tally = _sweep(job, scorer, index, keys, progress)
    finally:
        if dist.rank() == 0:
            remove_parts(env)
    if dist.rank() == 0:
        _sum_up(tally, index)


def _sweep(
    job: Job, scorer: Optional[Scorer], index: CandidateIndex, keys: Optional[ResultKeys], progress: Progress
) -> Tally:
    """Detect in every candidate and leave the results; returns what all ranks did."""
    env, params = job.env, job.infer or job.mining
    detector = _load(job, scorer)
    with ExitStack() as stack:
        mining: Optional[Mining] = None
        takers: List[Any] = []
        if scorer is not None:
            mining = stack.enter_context(Mining(env, job.mining, scorer, detector, index))
            takers.append(mining)
        views = scorer is not None and scorer.needs.views is not None
        sweep = Sweep(
            index,
            detector,
            # With an image come up to four views, and the decoded image has to wait beside them.
            max(1, params.samples_per_gpu // 4) if views else params.samples_per_gpu,
            params.workers_per_gpu,
            progress.part(0.01, 0.99),
            after=mining.score if mining else None,
            keep_images=views,
        )
        if job.infer is not None:
            takers.append(stack.enter_context(Inference(env, job.infer, index, sweep.positions, keys)))
        for outcome in sweep:
            for taker in takers:
                taker.take(outcome)
        tallies = dist.gather(sweep.tally)
        tally = tallies[0].merged(tallies[1:])
        _check_decoded(tally, index)
        for taker in takers:
            taker.finish()
    return tally


def _load(job: Job, scorer: Optional[Scorer]) -> Any:
    """The detector with what both tasks need of it; none where the scorer needs none and nobody else does."""
    needs = scorer.needs if scorer is not None else Needs()
    if scorer is None:
        return load_detector(job.infer, score_threshold=job.infer.conf_threshold)
    if job.infer is None and not (needs.detections or needs.head_maps):
        return NoDetector()
    try:
        return load_detector(
            job.mining,
            score_threshold=job.infer.conf_threshold if job.infer else None,
            keep_own=True,
            class_scores=needs.class_scores,
            head_maps=needs.head_maps,
        )
    except NoHeadMaps as error:
        raise ParameterError(
            'mining_algorithm',
            f'mining_algorithm {job.mining.mining_algorithm} needs dense class maps: {error}: choose cald, '
            'entropy or random',
        )


def _warn_of_repeated(index: CandidateIndex, keys: ResultKeys) -> None:
    if keys.repeated:
        logger.warning(
            '%d of %d candidates have the file name of an earlier one, by which the platform tells them '
            'apart (the first is %s, %s): in infer-result.json they stand under their whole path',
            *(keys.repeated, len(index), index[keys.first_repeated], index.place(keys.first_repeated)),
        )


def _check_decoded(tally: Tally, index: Sequence[str]) -> None:
    if tally.broken == len(index):
        _, error = tally.first_broken[0]
        raise ImageError(
            f'none of the {len(index)} candidates can be decoded; the first: {error}: give jpg, png, bmp, '
            'tif or webp files'
        )


def _sum_up(tally: Tally, index: CandidateIndex) -> None:
    logger.info(
        '%d images in %s, %.1f images/s', tally.images, duration(tally.seconds), tally.images / max(1e-9, tally.seconds)
    )
    logger.info('where the time went: %s', describe_time(tally))
    if tally.broken:
        named = '\n'.join(f'  {index.place(position)}: {error}' for position, error in tally.first_broken)
        more = tally.broken - len(tally.first_broken)
        logger.warning(
            '%d images cannot be decoded; they have no boxes and the lowest score:\n%s%s',
            *(tally.broken, named, f'\n  and {more} more' if more else ''),
        )
