"""Prove that mmcv's operators, as far as detectors use them, compute on the device what they do on the CPU."""

from __future__ import annotations

from typing import Callable, Dict

import torch
from torch import Tensor

from proof.bench import Bench
from proof.table import Outcome, judged

_TOLERANCE = 1e-3  # of the largest number: sums are in another order, and convolutions in TF32 may round
GOAL = f'each gives what it gives on the CPU, but for {_TOLERANCE:g} of its largest number'


def prove(bench: Bench) -> Outcome:
    """Compare each operator with itself on the CPU."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    told, holds = [], True
    for name, operator in OPERATORS.items():
        try:
            ours, theirs = operator(bench.device).cpu().double(), operator('cpu').double()
            same = ours.shape == theirs.shape
            error = float((ours - theirs).abs().max() / theirs.abs().max()) if same else float('inf')
            told.append(f'{name} {error:.0e}' if same else f'{name} gives {len(ours)} boxes, not {len(theirs)}')
            holds &= error <= _TOLERANCE
        except Exception as failure:  # one that is not there is told beside the others
            told.append(f'{name} fails ({failure})')
            holds = False
    return judged(f'differences: {", ".join(told)}', holds)


def _boxes(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 300
    return torch.cat([corner, corner + 10 + torch.rand(count, 2, generator=generator) * 90], dim=1)


def _scores(count: int) -> Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(1))


def _nms(device: str) -> Tensor:
    from mmcv.ops import nms

    return nms(_boxes(2000).to(device), _scores(2000).to(device), 0.5)[0]


def _batched_nms(device: str) -> Tensor:
    from mmcv.ops import batched_nms

    labels = torch.arange(2000) % 7
    settings = {'type': 'nms', 'iou_threshold': 0.5}
    return batched_nms(_boxes(2000).to(device), _scores(2000).to(device), labels.to(device), settings)[0]


def _roi_align(device: str) -> Tensor:
    from mmcv.ops import roi_align

    features = torch.randn(2, 16, 50, 50, generator=torch.Generator().manual_seed(2))
    images = (torch.arange(100) % 2).float()[:, None]
    return roi_align(features.to(device), torch.cat([images, _boxes(100)], dim=1).to(device), 7, 0.125)


def _focal_loss(device: str) -> Tensor:
    """Give the loss and its gradient: by the operator on a GPU, by mmdet's formula on a CPU, which has no operator."""
    from mmcv.ops import sigmoid_focal_loss
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

    generator = torch.Generator().manual_seed(3)
    logits = (torch.randn(500, 20, generator=generator) * 3).to(device).requires_grad_()
    labels = torch.randint(21, (500,), generator=generator).to(device)  # 20 is background
    if device == 'cpu':
        wanted = torch.nn.functional.one_hot(labels, 21)[:, :20]
        loss = py_sigmoid_focal_loss(logits, wanted.float(), gamma=2.0, alpha=0.25, reduction='none')
    else:
        loss = sigmoid_focal_loss(logits, labels, 2.0, 0.25, None, 'none')
    loss.sum().backward()
    assert logits.grad is not None
    return torch.cat([loss.detach(), logits.grad])


def _deformable_convolution(device: str) -> Tensor:
    from mmcv.ops import deform_conv2d

    generator = torch.Generator().manual_seed(4)
    image, weight = (torch.randn(shape, generator=generator) for shape in ((2, 8, 20, 20), (8, 8, 3, 3)))
    offset = torch.randn(2, 18, 20, 20, generator=generator)
    return deform_conv2d(image.to(device), offset.to(device), weight.to(device), 1, 1)


OPERATORS: Dict[str, Callable[[str], Tensor]] = {
    'nms': _nms,
    'batched_nms': _batched_nms,
    'roi_align': _roi_align,
    'sigmoid_focal_loss': _focal_loss,
    'deform_conv2d': _deformable_convolution,
}
