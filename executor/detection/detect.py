"""Run inference, mining, or both: one sweep of the detector over the candidates."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import List, Optional, Sequence

from executor import dist
from executor.contract.errors import ImageError, ParameterError
from executor.contract.index import CandidateIndex, read_candidate_index
from executor.contract.output.infer_result import ResultKeys
from executor.contract.output.parts import clear_candidate_results, remove_parts
from executor.contract.params import Job, MiningParams
from executor.contract.progress import Progress
from executor.detection.infer import InferSink
from executor.detection.mine import MiningSink
from executor.detection.statistics import Statistics, merged
from executor.detection.sweep import Sink, share_of_rank, sweep
from executor.detection.work import DetectAndScore, Scoring
from executor.detector.detector import Detector
from executor.detector.load import NoHeadMaps, load_detector
from executor.log import duration
from mining.catalog import ALGORITHMS, Needs, Settings, make_scorer

logger = logging.getLogger(__name__)

_VIEWS = 4  # about as many of an image as the algorithms make


def detect(job: Job, progress: Progress, cores: int) -> None:
    """Mine, infer, or both, on every rank; rank 0 leaves the results.

    Mining and inference look at the same detections, so both take one sweep.

    Args:
        job: the task.
        progress: told the share that is done.
        cores: of the CPU, for this rank.

    Raises:
        ExecutorError: with the platform's code, see each room.
        ImageError: no candidate can be decoded.
    """
    env = job.env
    scoring = scoring_of(job.mining) if job.mining else None
    index = read_candidate_index(env.input.candidate_index_file)
    keys: Optional[ResultKeys] = None
    if dist.rank() == 0:
        clear_candidate_results(env)
        keys = ResultKeys(index)
        _warn_of_repeated(index, keys)
    dist.wait_for_all()
    try:
        statistics = _sweep(job, scoring, index, keys, progress, cores)
    finally:
        if dist.rank() == 0:
            remove_parts(env)
    if dist.rank() == 0:
        _sum_up(statistics, index)


def scoring_of(params: MiningParams) -> Scoring:
    """Make the algorithm that the task names."""
    settings = Settings(params.class_distribution_scores, params.aldd_exact, params.seed)
    return Scoring(make_scorer(params.mining_algorithm, settings), ALGORITHMS[params.mining_algorithm])


def compose(job: Job, scoring: Optional[Scoring], cores: int) -> DetectAndScore:
    """Load the detector that the task's parts need, if any, and compose the work on an image."""
    return DetectAndScore(_load(job, scoring.needs if scoring else None, cores), scoring)


def images_at_once(samples: int, work: DetectAndScore) -> int:
    """Choose the batch: with an image may come its views, and the decoded image has to wait beside them."""
    return max(1, samples // _VIEWS) if work.keep_images else samples


def _sweep(
    job: Job,
    scoring: Optional[Scoring],
    index: CandidateIndex,
    keys: Optional[ResultKeys],
    progress: Progress,
    cores: int,
) -> Statistics:
    """Detect in every candidate and leave the results; returns the statistics of all ranks."""
    params = job.infer or job.mining
    work = compose(job, scoring, cores)
    with ExitStack() as stack:
        sinks: List[Sink] = []
        if job.mining is not None:
            sinks.append(stack.enter_context(MiningSink(job.env, job.mining, index)))
        if job.infer is not None:
            sinks.append(stack.enter_context(InferSink(job.env, job.infer, index, share_of_rank(len(index)), keys)))
        batch_size = images_at_once(params.samples_per_gpu, work)
        own = sweep(index, work, sinks, batch_size, params.workers_per_gpu, progress.part(0.01, 0.99))
        statistics = merged(dist.gather(own))
        _check_decoded(statistics, index)
        for sink in sinks:
            sink.finish()
    return statistics


def _load(job: Job, needs: Optional[Needs], cores: int) -> Optional[Detector]:
    """Load the detector with what both tasks need of it; None where nobody needs one."""
    if needs is None:
        return load_detector(job.infer, cores, score_threshold=job.infer.conf_threshold)
    if job.infer is None and not (needs.detections or needs.head_maps):
        return None
    try:
        return load_detector(
            job.mining,
            cores,
            at_most=job.infer.conf_threshold if job.infer else None,
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


def _check_decoded(statistics: Statistics, index: Sequence[str]) -> None:
    if statistics.broken == len(index):
        _, error = statistics.first_broken[0]
        raise ImageError(
            f'none of the {len(index)} candidates can be decoded; the first: {error}: give jpg, png, bmp, '
            'tif or webp files'
        )


def _sum_up(statistics: Statistics, index: CandidateIndex) -> None:
    rate = statistics.images / max(1e-9, statistics.seconds)
    logger.info('%d images in %s, %.1f images/s', statistics.images, duration(statistics.seconds), rate)
    logger.info('where the time went: %s', statistics.describe_time())
    if statistics.broken:
        named = '\n'.join(f'  {index.place(position)}: {error}' for position, error in statistics.first_broken)
        more = statistics.broken - len(statistics.first_broken)
        logger.warning(
            '%d images cannot be decoded; they have no boxes and the lowest score:\n%s%s',
            *(statistics.broken, named, f'\n  and {more} more' if more else ''),
        )
