"""Begin a training again with half a batch when the GPU's memory is too small: known to the light parent."""

from __future__ import annotations

import dataclasses
import logging
from typing import Optional

from executor.contract.errors import GpuMemoryError, ValidationMemoryError
from executor.contract.failure import Failure
from executor.contract.options import RESUME_LATEST
from executor.contract.params import Job, TrainParams

logger = logging.getLogger(__name__)

_VALIDATION_BATCH = 'val_dataloader.batch_size'


def with_half_the_batch(job: Job, failure: Failure) -> Optional[Job]:
    """Return the job to begin again with, down to one image at a time.

    A training begins anew, one that failed in a validation goes on from there. None where a smaller batch does not
    help, there is none, or a stage is saved already, which would be lost.
    """
    training = job.training
    if training is None:
        return None
    if failure.kind == ValidationMemoryError.__name__:
        smaller = _with_half_the_validation_batch(training)
    elif failure.kind == GpuMemoryError.__name__ and not job.env.output.training_result_file.exists():
        smaller = _with_half_the_training_batch(training)
    else:
        return None
    if smaller is None:
        return None
    logger.warning('%s', failure.message)
    if smaller.samples_per_gpu == training.samples_per_gpu:
        logger.warning('going on with half of it: %s %d', _VALIDATION_BATCH, smaller.config_options[_VALIDATION_BATCH])
    else:
        logger.warning('beginning again with half the batch: samples_per_gpu %d', smaller.samples_per_gpu)
    return dataclasses.replace(job, training=smaller)


def _with_half_the_training_batch(training: TrainParams) -> Optional[TrainParams]:
    if training.samples_per_gpu == 1 or 'train_dataloader.batch_size' in training.config_options:
        return None
    return dataclasses.replace(training, samples_per_gpu=training.samples_per_gpu // 2)


def _with_half_the_validation_batch(training: TrainParams) -> Optional[TrainParams]:
    batch = training.config_options.get(_VALIDATION_BATCH, training.samples_per_gpu)
    if not isinstance(batch, int) or batch <= 1:
        return None
    return dataclasses.replace(
        training,
        args_options=dataclasses.replace(training.args_options, resume=RESUME_LATEST),
        cfg_options={**training.cfg_options, _VALIDATION_BATCH: batch // 2},
    )
