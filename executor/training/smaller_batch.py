"""Begin a training again with half a batch when the GPU's memory is too small: known to the light parent."""

from __future__ import annotations

import dataclasses
import logging
from typing import Optional, cast

from executor.contract.errors import GpuMemoryError, ValidationMemoryError
from executor.contract.failure import Failure
from executor.contract.options import RESUME_LATEST
from executor.contract.params import Job

logger = logging.getLogger(__name__)

_VALIDATION_BATCH = 'val_dataloader.batch_size'


def with_half_the_batch(job: Job, failure: Failure) -> Optional[Job]:
    """Return the job to begin again with, down to one image at a time.

    A training begins anew, one that failed in a validation goes on from there. None where a smaller batch does not
    help, there is none, a stage is saved already, which would be lost, or the training goes on with another's schedule.
    """
    training = job.training
    if training is None:
        return None
    options, batch = training.config_options, training.samples_per_gpu
    if failure.kind == ValidationMemoryError.__name__:
        batch = cast(int, options.get(_VALIDATION_BATCH, batch))
        smaller = dataclasses.replace(
            training,
            args_options=dataclasses.replace(training.args_options, resume=RESUME_LATEST),
            cfg_options={**training.cfg_options, _VALIDATION_BATCH: batch // 2},
        )
        words = f'going on with half of it: {_VALIDATION_BATCH}'
    elif failure.kind == GpuMemoryError.__name__ and not (
        job.env.output.training_result_file.exists() or 'train_dataloader.batch_size' in options or training.goes_on
    ):
        smaller = dataclasses.replace(training, samples_per_gpu=batch // 2)
        words = 'beginning again with half the batch: samples_per_gpu'
    else:
        return None
    if batch == 1:
        return None
    logger.warning('%s', failure.message)
    logger.warning('%s %d', words, batch // 2)
    return dataclasses.replace(job, training=smaller)
