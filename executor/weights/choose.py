"""Choose weight files: the best of a model package, or those in the image that a config asks for."""

from __future__ import annotations

import logging
import math
import os
import re
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

from executor.contract.errors import ModelError
from executor.contract.output.training_result import RESUME_FILE
from executor.contract.shown import shown
from executor.weights.checkpoint import meta_of, model_parameters, read_checkpoint
from executor.weights.darknet_file import DARKNET_SUFFIX
from executor.weights.image import IMAGE_WEIGHTS

logger = logging.getLogger(__name__)

_TORCH_SUFFIXES = ('.pth', '.pt')
WEIGHT_SUFFIXES = (*_TORCH_SUFFIXES, DARKNET_SUFFIX)

# Where a config's name stops naming the architecture: yolox_tiny|_8x8_300e_coco, rtmdet_tiny|_8xb32-300e_coco.
_SCHEDULE_PART = re.compile(r'_\d+xb?\d+[_-].*$')


def choose_weights(files: Sequence[Path], config_file: str) -> Optional[Path]:
    """Choose the weights to start from: of a model package, else the image's for that architecture, else none."""
    best = best_weights(files)
    if best is not None:
        return best
    if files:
        logger.warning('the pretrained model has no %s file: its files are not used', ' or '.join(WEIGHT_SUFFIXES))
    return image_weights(architecture(config_file))


def best_weights(files: Sequence[Path]) -> Optional[Path]:
    """Choose the weight file of a model package, None without one.

    Of several the best counts, then the latest, by the mAP and epoch written inside them; the file's time says nothing,
    since packing and copying change it. mmdet 2 and ultralytics write no mAP into a file, but call the best one so. A
    state to resume from counts where there is nothing else: it is large, and not what was validated.
    """
    weights = [file for file in files if file.suffix in WEIGHT_SUFFIXES]
    candidates = [file for file in weights if file.name != RESUME_FILE] or weights
    return max(candidates, key=_merit) if len(candidates) > 1 else next(iter(candidates), None)


def _merit(file: Path) -> Tuple[float, bool, float, str]:
    meta = meta_of(read_checkpoint(file))
    mAP, epoch = (_finite(meta.get(key)) for key in ('mAP', 'epoch'))
    return mAP, file.name.startswith(('best_', 'best.')), epoch, file.name


def _finite(value: object) -> float:
    """Give -1 for what is no number, or none that can be compared."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return -1
    return value


def architecture(config_file: str) -> str:
    """Cut a config's name down to its architecture: `configs/yolox/yolox_tiny_8x8_300e_coco.py` to `yolox_tiny`."""
    return _SCHEDULE_PART.sub('', Path(config_file).stem)


def image_weights(name: str, suffixes: Sequence[str] = WEIGHT_SUFFIXES) -> Optional[Path]:
    """Find the file below /weights whose name is `name` or goes on after it with `_`, `-` or `.`; first by name."""
    pattern = re.compile(re.escape(name) + r'([_.-].*)?$')
    fitting = (file for file in IMAGE_WEIGHTS.rglob('*') if file.suffix in suffixes and pattern.match(file.stem))
    return min(fitting, default=None)


def replace_downloads(node: object, will_load: bool) -> None:
    """Take backbone weights that a config would download from /weights by name, else leave them out with a warning.

    A download would only fail after a time-out. Where weights for the whole detector follow (`will_load`), the
    backbone's own are not needed.

    Raises:
        ModelError: a file that the config names holds more than weights, or none that can be used.
    """
    if isinstance(node, dict):
        for key, value in list(node.items()):
            if _loads(value):
                node[key] = _at_hand(value, will_load)
    elif isinstance(node, list):  # of several initialisations, those that can be made
        made = [(_at_hand(value, will_load) if _loads(value) else value, value) for value in node]
        node[:] = [new for new, old in made if new is not None or old is None]
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ():
        replace_downloads(value, will_load)


def _loads(init: object) -> bool:
    return isinstance(init, dict) and str(init.get('type')).rpartition('.')[2] == 'Pretrained'


def _at_hand(init: Dict[str, object], will_load: bool) -> Optional[Dict[str, object]]:
    """Name a file for weights that would be downloaded; None where there is none."""
    named = init.get('checkpoint')
    if not isinstance(named, str):
        raise ModelError(f'the checkpoint of an init_cfg of type Pretrained is {shown(named)}, expected a path')
    if os.path.isfile(named):
        model_parameters(read_checkpoint(Path(named)), Path(named))  # what is wrong with it is told here
        return init
    name = Path(named.rpartition('://')[2]).stem
    found = image_weights(name, _TORCH_SUFFIXES)  # darknet's are of whole detectors
    if found is None and not will_load:
        logger.warning('the backbone starts from random weights: /weights in the image holds no %s*.pth', name)
    return None if found is None else {**init, 'checkpoint': str(found)}
