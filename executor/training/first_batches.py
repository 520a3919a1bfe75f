"""Make the batches that a training begins with."""

from __future__ import annotations

import itertools
from typing import Any, List, Mapping

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from executor.report.dataset_report import TrainingPicture


def first_batches(loader: DataLoader, count: int) -> List[List[TrainingPicture]]:
    """Make the first batches of a loader as its processes will, each of the first batches being the first of one.

    It draws random numbers and fills what transforms remember: call it in a process apart.
    """
    torch.set_num_threads(1)  # as in a loading process; those of the process before are not in a fork of it
    cv2.setNumThreads(0)
    batches = []
    for number, images in enumerate(itertools.islice(loader.batch_sampler, count)):
        if number < loader.num_workers and loader.worker_init_fn is not None:
            loader.worker_init_fn(number)  # which gives a loading process its random numbers
        batches.append([_picture(loader.dataset[image]) for image in images])
    return batches


def _picture(sample: Mapping[str, Any]) -> TrainingPicture:
    pixels = np.clip(sample['inputs'].numpy(), 0, 255).astype(np.uint8)
    truth = sample['data_samples'].gt_instances
    boxes = getattr(truth.bboxes, 'tensor', truth.bboxes)
    return TrainingPicture(_planes_last(pixels), boxes.numpy(), truth.labels.numpy())


def _planes_last(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make (3, H, W) into (H, W, 3)."""
    return np.ascontiguousarray(pixels.transpose(1, 2, 0))
