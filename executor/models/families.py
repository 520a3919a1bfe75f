"""List the detector families and what belongs to each, and register the parts that configs may name."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Callable, Dict, FrozenSet, Iterable, Mapping, Optional, Protocol, Tuple

import mmdet.datasets  # noqa: F401  (it prints notes when it is imported first; here they are silenced)
import mmdet.registry
import mmengine.registry
import torch
from mmdet.models.dense_heads import YOLOV3Head, YOLOXHead
from mmdet.utils import register_all_modules

from executor.models.anchored import AnchoredHead
from executor.models.dense import DenseHead, HeadAdapter
from executor.models.efficientdet import effdet
from executor.models.efficientdet.head import EfficientDetHead
from executor.models.held import HeldModel
from executor.models.yolov3 import darknet
from executor.models.yolov5 import ultralytics
from executor.models.yolov5.head import YOLOV5Head
from executor.models.yolox import megvii, megvii_darknet
from executor.models.yolox.head import YoloxHead


@dataclass(frozen=True)
class WeightLayout:
    """Names that someone else gives a family's parameters."""

    name: str  # whose they are, in words
    fits: Callable[[Iterable[str]], bool]  # tells whether parameter names are these
    # Gives the parameters mmdet's names; raises ValueError for a network that is not known.
    to_mmdet: Callable[[Mapping[str, torch.Tensor]], Dict[str, torch.Tensor]]
    held_model: Optional[Callable[[Mapping[str, torch.Tensor]], HeldModel]] = None  # tells their network, where they do


class NumberLayout(Protocol):
    """The order of a network's numbers in files that hold no names."""

    @property
    def name(self) -> str:
        """Name the network."""

    def fits(self, count: int) -> bool:
        """Tell whether so many numbers are such a network's."""

    def to_mmdet(self, numbers: torch.Tensor) -> Dict[str, torch.Tensor]:
        """Give (N,) numbers that fit mmdet's names and their shapes."""


@dataclass(frozen=True)
class Family:
    """What belongs to a detector family, beyond what serves every detector of mmdet."""

    name: str  # its folder below configs/
    head: type  # the class of its dense head; a subclass may work otherwise, so it is another family's
    adapter: Callable[[torch.nn.Module, bool], HeadAdapter]  # of a head; the flag asks for the scores of all classes
    layouts: Tuple[WeightLayout, ...] = ()  # foreign names of its weights
    number_layouts: Tuple[NumberLayout, ...] = ()  # of its weights in files without names, which are darknet's
    modules: Tuple[str, ...] = ()  # our own that register parts of it
    plain: bool = False  # convolutions alone, which channels last and half precision suit


FAMILIES: Tuple[Family, ...] = (
    Family(
        name='yolox',
        head=YOLOXHead,
        adapter=YoloxHead,
        layouts=(
            WeightLayout('Megvii YOLOX', megvii.fits, megvii.to_mmdet),
            WeightLayout('Megvii YOLOX-Darknet53', megvii_darknet.fits, megvii_darknet.to_mmdet),
        ),
        modules=('executor.models.yolox.darknet_neck',),
        plain=True,
    ),
    Family(
        name='yolov3',
        head=YOLOV3Head,
        adapter=AnchoredHead,
        layouts=(WeightLayout("YOLOv3 numbered as in darknet's cfg", darknet.fits, darknet.to_mmdet),),
        number_layouts=(
            darknet.Yolov3Numbers('YOLOv3', pooling=False),
            darknet.Yolov3Numbers('YOLOv3-SPP', pooling=True),
            darknet.BackboneNumbers('the backbone Darknet-53'),
        ),
        modules=('executor.models.yolov3.spp_neck',),
        plain=True,
    ),
    Family(
        name='yolov5',
        head=YOLOV5Head,
        adapter=AnchoredHead,
        layouts=(WeightLayout("ultralytics' YOLOv5", ultralytics.fits, ultralytics.to_mmdet, ultralytics.held_model),),
        modules=('executor.models.yolov5.network',),
        plain=True,
    ),
    Family(
        name='efficientdet',
        head=EfficientDetHead,
        adapter=DenseHead,
        layouts=(WeightLayout("effdet's EfficientDet", effdet.fits, effdet.to_mmdet, effdet.held_model),),
        modules=('executor.models.efficientdet.bifpn',),
        plain=True,
    ),
)

# Our own parts of every training; named, since they lie in a room above this one.
TASK_MODULES = tuple(f'executor.training.{name}' for name in ('board_backend', 'dataset', 'metric'))


def family_of(model: torch.nn.Module) -> Optional[Family]:
    """Find the family of a detector by its head; None for one without a row in the table."""
    head = type(getattr(model, 'bbox_head', None))
    return next((family for family in FAMILIES if family.head is head), None)


def known_layouts() -> str:
    """List whose names of parameters are known, for messages."""
    *first, last = ['mmdet', *(layout.name for family in FAMILIES for layout in family.layouts)]
    return f'{", ".join(first)} or {last}'


def register_parts() -> None:
    """Import what registers mmdet's parts and ours."""
    register_all_modules(init_default_scope=False)
    for module in (*TASK_MODULES, *(module for family in FAMILIES for module in family.modules)):
        importlib.import_module(module)


# Where the layers, losses and helpers of detectors are defined. What of mmdet follows objects through a video or reads
# text is not among them, nor is what draws, downloads or measures.
_MODEL_MODULES = (
    *(f'mmdet.models.{part}' for part in ('backbones', 'data_preprocessors', 'dense_heads', 'detectors', 'layers')),
    *('mmdet.models.losses', 'mmdet.models.necks', 'mmdet.models.roi_heads'),
    *(f'mmdet.models.task_modules.{part}' for part in ('assigners', 'coders', 'prior_generators', 'samplers')),
    *('mmcv.cnn', 'mmcv.ops', 'mmengine.model', 'mmengine.utils.dl_utils', 'torch.nn', 'executor.models'),
)


def model_part_names() -> FrozenSet[str]:
    """List the name of every part of a detector that mmengine, mmcv, mmdet and we have registered by now."""
    register_parts()
    registries = (mmdet.registry.MODELS, mmdet.registry.TASK_UTILS)
    registries += tuple(getattr(mmengine.registry, name) for name in ('MODELS', 'TASK_UTILS', 'WEIGHT_INITIALIZERS'))
    parts = [item for registry in registries for item in registry.module_dict.items()]
    modules = (*_MODEL_MODULES, *(family.head.__module__ for family in FAMILIES))
    return frozenset(name for name, part in parts if f'{part.__module__}.'.startswith(tuple(f'{m}.' for m in modules)))
