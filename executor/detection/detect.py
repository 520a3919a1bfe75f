"""Run inference, mining, or both: one sweep of the detector over the candidates."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import List, Optional

from executor import dist
from executor.contract.errors import ImageError, ModelError, ParameterError
from executor.contract.index import CandidateIndex, read_candidate_index
from executor.contract.output.infer_result import ResultKeys
from executor.contract.output.parts import clear_candidate_results, remove_parts
from executor.contract.params import InferParams, Job, MiningParams
from executor.contract.progress import Progress
from executor.detection.infer import InferSink
from executor.detection.mine import MiningSink
from executor.detection.statistics import Statistics, merged
from executor.detection.sweep import Sink, share_of_rank, sweep
from executor.detection.weigh import weigh_classes
from executor.detection.work import DetectAndScore
from executor.detector.detector import Detector
from executor.detector.load import NoHeadMaps, load_detector
from executor.log import duration
from executor.machine import fork_server
from mining.catalog import ALGORITHMS, Settings, make_scorer

logger = logging.getLogger(__name__)

_NO_NUMBERS = 'the network gives NaN, from weights too large for its precision'


def detect(job: Job, progress: Progress, cores: int) -> None:
    """Mine, infer, or both, on every rank with its share of the CPU's cores; rank 0 leaves the results.

    Mining and inference look at the same detections, so both take one sweep.

    Raises:
        ImageError: no candidate can be decoded.
        ModelError: the network gives NaN for all of them.
    """
    env, params = job.env, job.infer or job.mining
    assert params is not None, 'a job without a task'
    if params.workers_per_gpu > 0:
        fork_server.begin('executor.images.loader')
    assert env.input.candidate_index_file is not None, 'the parent has looked for it'
    index = read_candidate_index(env.input.candidate_index_file)
    keys: Optional[ResultKeys] = None
    if dist.rank() == 0:
        keys = ResultKeys(index)
        if keys.first_repeated is not None:
            logger.warning(
                '%d of %d candidates have the file name of an earlier one, by which the platform tells them '
                'apart (the first is %s, %s): in infer-result.json they stand under their whole path',
                *(keys.repeated, len(index), index[keys.first_repeated], index.place(keys.first_repeated)),
            )
    work = compose(job.infer, job.mining, cores)
    if dist.rank() == 0:
        clear_candidate_results(env)  # only now: a model that cannot be used costs no result of an earlier run
    dist.wait_for_all()  # before any rank opens its part
    try:
        statistics = _sweep(job, index, work, keys, progress)
    finally:
        if dist.rank() == 0:
            remove_parts(env)
    if dist.rank() == 0:
        _sum_up(statistics, index)


def compose(infer: Optional[InferParams], mining: Optional[MiningParams], cores: int) -> DetectAndScore:
    """Load the detector that inference, mining or both need, if any, and compose the work on an image."""
    detector = _load(infer, mining, cores)
    if mining is None:
        return DetectAndScore(detector)
    needs = ALGORITHMS[mining.mining_algorithm]
    weights = weigh_classes(mining, detector.class_ap) if detector is not None and needs.detector else ()
    scorer = make_scorer(mining.mining_algorithm, Settings(weights, mining.aldd_exact, mining.seed))
    return DetectAndScore(detector, scorer, needs, looks=mining.diversity == 'on')


def _sweep(
    job: Job, index: CandidateIndex, work: DetectAndScore, keys: Optional[ResultKeys], progress: Progress
) -> Statistics:
    """Detect in every candidate and leave the results; returns the statistics of all ranks."""
    infer, mining = job.infer, job.mining
    params = infer or mining
    assert params is not None
    with ExitStack() as stack:
        sinks: List[Sink] = []
        if mining is not None:
            assert work.scorer is not None
            sinks.append(stack.enter_context(MiningSink(job.env, mining, index, work.scorer)))
        if infer is not None:
            sinks.append(stack.enter_context(InferSink(job.env, infer, index, share_of_rank(len(index)), keys)))
        batch_size = work.batch_size(params.samples_per_gpu)
        own = sweep(index, work, sinks, batch_size, params.workers_per_gpu, progress.part(0.01, 0.99))
        statistics = merged(dist.gather(own))
        if statistics.broken == len(index):
            raise ImageError(
                f'none of the {len(index)} candidates can be decoded; the first: {statistics.first_broken[0][1]}: give '
                'jpg, png, bmp, tif or webp files'
            )
        if statistics.unsound == len(index) - statistics.broken:
            raise ModelError(f'{_NO_NUMBERS} for all of the {statistics.unsound} images: choose another model')
        for sink in sinks:
            sink.finish()
        if dist.rank() == 0:
            for sink in sinks:  # only now: all results are there
                sink.show()
    return statistics


def _load(infer: Optional[InferParams], mining: Optional[MiningParams], cores: int) -> Optional[Detector]:
    """Load the detector with what both tasks need of it; None where nobody needs one."""
    if mining is None:
        assert infer is not None, 'a task that neither mines nor infers'
        return load_detector(infer, cores, score_threshold=infer.conf_threshold)
    needs = ALGORITHMS[mining.mining_algorithm]
    if infer is None and not needs.detector:
        return None
    try:
        return load_detector(
            mining,
            cores,
            score_threshold=infer.conf_threshold if infer else None,
            keep_own=True,
            class_scores=needs.class_scores,
            head_maps=needs.head_maps,
        )
    except NoHeadMaps as error:
        others = [name for name, needed in ALGORITHMS.items() if not needed.head_maps]
        raise ParameterError(
            'mining_algorithm',
            f'mining_algorithm {mining.mining_algorithm} needs dense class maps: {error}: choose '
            f'{", ".join(others[:-1])} or {others[-1]}',
        )


def _sum_up(statistics: Statistics, index: CandidateIndex) -> None:
    rate = statistics.images / max(1e-9, statistics.seconds)
    logger.info('%d images in %s, %.1f images/s', statistics.images, duration(statistics.seconds), rate)
    logger.info('where the time went: %s', statistics.describe_time())
    if statistics.unsound:
        logger.warning(
            '%s for %d images, of which boxes are missing: choose another model', _NO_NUMBERS, statistics.unsound
        )
    if statistics.broken:
        named = '\n'.join(f'  {index.place(position)}: {error}' for position, error in statistics.first_broken)
        more = statistics.broken - len(statistics.first_broken)
        logger.warning(
            '%d images cannot be decoded; they have no boxes and the lowest score:\n%s%s',
            *(statistics.broken, named, f'\n  and {more} more' if more else ''),
        )
