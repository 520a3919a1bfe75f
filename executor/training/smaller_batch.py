"""Begin a training again with half the batch when the GPU's memory is too small: known to the light parent."""

from __future__ import annotations

import dataclasses
import logging
from typing import Optional

from executor.contract.errors import GpuMemoryError
from executor.contract.failure import Failure
from executor.contract.params import Job

logger = logging.getLogger(__name__)


def with_half_the_batch(job: Job, failure: Failure) -> Optional[Job]:
    """Return the job to begin again with, down to one image at a time.

    None where a smaller batch does not help, there is none, or a stage is saved already, which would be lost.
    """
    training = job.training
    if failure.kind != GpuMemoryError.__name__ or training is None or training.samples_per_gpu == 1:
        return None
    if job.env.output.training_result_file.exists() or 'train_dataloader.batch_size' in training.config_options:
        return None
    samples = training.samples_per_gpu // 2
    logger.warning('%s', failure.message)
    logger.warning('beginning again with half the batch: samples_per_gpu %d', samples)
    return dataclasses.replace(job, training=dataclasses.replace(training, samples_per_gpu=samples))
