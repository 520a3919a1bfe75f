"""Take something away from the tasks of a proof, in which Python runs this at its start: memory, or a GPU that works.

PROOF_TAKES says what: `bytes:N` leaves each GPU so many for this process; `images:N` stands for that on a CPU, and lets
no convolution take more images; `gpu` lets the GPU be one that this build of torch cannot use.
"""

import os
import sys
from importlib.abc import MetaPathFinder

_TRAINING, _DETECTION = 'executor.training.train', 'executor.detection.detect'  # of which a worker imports one


class _BeforeTheTask(MetaPathFinder):
    """Finds nothing, but sees that the worker begins, in which torch may be imported."""

    def find_spec(self, name, path=None, target=None):
        if name in (_TRAINING, _DETECTION):
            sys.meta_path.remove(self)
            what, _, number = os.environ['PROOF_TAKES'].partition(':')
            {'bytes': _leave_bytes, 'images': _leave_images, 'gpu': _take_gpu}[what](number)
        return None


def _leave_bytes(number):
    import torch

    for gpu in range(torch.cuda.device_count()):
        total = torch.cuda.get_device_properties(gpu).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, int(number) / total), gpu)


def _leave_images(number):
    import torch

    error = getattr(torch.cuda, 'OutOfMemoryError', RuntimeError)  # torch 1.10 has none of its own
    convolve = torch.nn.Conv2d.forward

    def forward(self, images):
        if len(images) > int(number):
            raise error(f'CUDA out of memory. Tried to allocate room for {len(images)} images')
        return convolve(self, images)

    torch.nn.Conv2d.forward = forward


def _take_gpu(_):
    import torch

    def zeros(*args, **kwargs):
        raise RuntimeError('CUDA error: no kernel image is available for execution on the device')

    torch.version.cuda = torch.version.cuda or '0.0'
    torch.cuda.device_count = lambda: 1
    torch.zeros = zeros


if 'PROOF_TAKES' in os.environ:
    sys.meta_path.insert(0, _BeforeTheTask())
