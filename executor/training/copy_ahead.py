"""Copy each batch's images to the GPU while it computes on those before."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, Tuple

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

Batch = Dict[str, Any]  # `inputs`: an image each, which the loader has pinned; `data_samples`: their boxes


class CopyAheadHook(Hook):
    """Makes the loader of a training hand out batches whose images are on the GPU already."""

    def before_train(self, runner: Runner) -> None:
        loader = runner.train_dataloader
        # It stays the object it is, since hooks of mmdet that change the pipeline reach into its private fields.
        loader.__class__ = _CopyingLoader
        loader.stream = torch.cuda.Stream()


class _CopyingLoader(DataLoader):
    stream: torch.cuda.Stream  # one for the whole training: memory of a stream is not used again by another

    def __iter__(self) -> Iterator[Batch]:
        return copied_ahead(super().__iter__(), self.stream)


def copied_ahead(batches: Iterable[Batch], stream: torch.cuda.Stream) -> Iterator[Batch]:
    """Give each batch with its images on the GPU, once those of the next are on their way in `stream`.

    Boxes stay: they are small, and sending them takes the time of the process, which no stream gives back.
    """
    copies = (_begin(batch, stream) for batch in batches)
    ahead = next(copies, None)
    while ahead is not None:
        here, ahead = ahead, next(copies, None)
        yield _finish(*here)


def _begin(batch: Batch, stream: torch.cuda.Stream) -> Tuple[Batch, torch.cuda.Event]:
    with torch.cuda.stream(stream):
        images = [image.to(stream.device, non_blocking=True) for image in batch['inputs']]
    return {**batch, 'inputs': images}, stream.record_event()


def _finish(batch: Batch, copied: torch.cuda.Event) -> Batch:
    """Let the stream that computes wait for this batch's copies, not for those behind them."""
    computing = torch.cuda.current_stream()
    computing.wait_event(copied)
    for image in batch['inputs']:
        # Else its memory would be free for the next copies as soon as nobody names it, though not yet computed with.
        image.record_stream(computing)
    return batch
