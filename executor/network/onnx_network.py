"""Run a dense network in ONNX Runtime: export it, and compare it with torch before it is used."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import os
import sys
import time
import warnings
from typing import Callable, Dict, Iterator, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import DTypeLike

from executor.network.dense import CHECK_SIDE, Network, RawOutputs, check_same, example_images, nested

logger = logging.getLogger(__name__)

Axes = Mapping[int, str]

OTHER_SIDES = (250, 410)  # of a second image, in case the graph has kept a size; to be padded, other than the first


class OnnxNetwork:
    """The network as a graph in ONNX Runtime, one thread a call, for callers that call from several threads.

    Measured: images one by one on as many threads as there are cores are faster than batches on all cores at once, and
    what comes out of an image never depends on its batch.
    """

    def __init__(self, network: Network, input_size: Optional[Tuple[int, int]], dtype: DTypeLike = np.uint8) -> None:
        """Export the network, on the CPU; `input_size` (width, height) where every image has it, `dtype` of the pixels.

        Raises:
            Exception: of many kinds, where the network cannot be exported, or not loaded by the runtime.
            ValueError: the graph does not compute what the network does.
        """
        started = time.monotonic()
        self.divisor = network.divisor
        width, height = input_size or (CHECK_SIDE, CHECK_SIDE)
        example = example_images(height, width).astype(dtype)
        graph = export_graph(network, example, fixed=input_size is not None)
        self._run = open_graph(graph)
        self._structure = network.structure
        others = [] if input_size is not None else [example_images(*OTHER_SIDES).astype(dtype)]
        for pixels in (example, *others):
            with torch.inference_mode():
                check_same(self(pixels), network(torch.from_numpy(pixels)))
        logger.info('network exported to ONNX Runtime and compared with torch in %.1f s', time.monotonic() - started)

    def __call__(self, pixels: np.ndarray) -> RawOutputs:
        """Run (1, H, W, 3) BGR of the dtype it was made for."""
        return nested(self._structure, map(torch.from_numpy, self._run(pixels)))


def open_graph(graph: bytes) -> Callable[[np.ndarray], Sequence[np.ndarray]]:
    """Open a graph of one input in ONNX Runtime, on one thread; returns what gives its outputs."""
    import onnxruntime  # only where it is used

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # it warns of its own optimisations
    session = onnxruntime.InferenceSession(graph, options, providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})


def export_graph(
    network: torch.nn.Module, example: np.ndarray, fixed: bool, outputs: Optional[Mapping[str, Axes]] = None
) -> bytes:
    """Export an ONNX graph with one input, `images`, of the example's shape or of any height and width.

    `outputs`: their names, each with the names of those of its axes that depend on height and width.
    """
    graph = io.BytesIO()
    arguments: Dict[str, object] = {'input_names': ['images'], 'opset_version': 13, 'output_names': [*(outputs or ())]}
    if not fixed:
        arguments['dynamic_axes'] = {'images': {1: 'height', 2: 'width'}, **(outputs or {})}
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        arguments['dynamo'] = False  # the tracing exporter: a second instead of half a minute, and every torch has it
    with warnings.catch_warnings(), _silent_stderr(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(network, (torch.from_numpy(example),), graph, **arguments)
    network.eval()  # the exporter leaves the parts in the mode of the whole
    return graph.getvalue()


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what is written to stderr, also by C++: torch 1.10 tells there of each constant that it exports."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, 'wb') as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
