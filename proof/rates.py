"""Measure speed: of a whole inference, and of the network that it runs."""

from __future__ import annotations

import time
from typing import Callable, List, Optional, Sequence, Tuple

import torch

from executor.contract.env import Env
from executor.contract.params import InferParams
from executor.contract.progress import silent_progress
from executor.detection.infer import InferSink
from executor.detection.sweep import Outcome, Sink, sweep
from executor.detection.work import DetectAndScore
from executor.machine.memory import is_out_of_gpu_memory
from executor.network.dense import Network, TorchNetwork, example_images


class Times:
    """A sink that notes when outcomes come."""

    def __init__(self) -> None:
        self._times: List[float] = []

    def write(self, outcome: Outcome) -> None:
        self._times.append(time.perf_counter())

    def finish(self) -> None:
        """Nothing to merge."""

    def show(self) -> None:
        """Nothing to show."""

    def steady_seconds(self, begin: int) -> float:
        """Seconds an outcome after the first `begin`."""
        return (self._times[-1] - self._times[begin]) / (len(self._times) - 1 - begin)


def inference_rate(
    images: Sequence[str], params: InferParams, work: DetectAndScore, env: Env, workers: int
) -> Tuple[float, str]:
    """Measure the steady rate of the sweep as inference runs it, from file to the line that is written, in images/s.

    Returns also where the time went.
    """
    times, samples = Times(), params.samples_per_gpu
    with InferSink(env, params, images, range(len(images))) as sink:
        sinks: List[Sink] = [sink, times]
        statistics = sweep(images, work, sinks, samples, workers, silent_progress().part(0, 1))
    # Until then processes start and nothing is in their queues.
    return 1 / times.steady_seconds(2 * samples), statistics.describe_time()


def rate(step: Callable[[], object], images: int, seconds: float = 2.0) -> float:
    """Measure how many images/s a step makes that takes so many."""
    step()
    count, started = 0, time.perf_counter()
    while count < 8 or time.perf_counter() - started < seconds:
        step()
        count += 1
    return count * images / (time.perf_counter() - started)


def half_precision_rate(network: Network, side: int, batch: int) -> Optional[float]:
    """Measure the network of convolutions alone on a GPU, whose images are there; None where memory has no room."""
    device = torch.device('cuda', torch.cuda.current_device())
    TorchNetwork(network, device, plain=True)  # which puts it there, in half precision
    torch.backends.cudnn.benchmark = True  # as in a detector
    pixels = torch.from_numpy(example_images(side, side)).to(device).repeat(batch, 1, 1, 1)

    def step() -> None:
        network(pixels)
        torch.cuda.synchronize()

    try:
        with torch.inference_mode():
            return rate(step, batch)
    except RuntimeError as error:
        if not is_out_of_gpu_memory(error):
            raise
        torch.cuda.empty_cache()
        return None
