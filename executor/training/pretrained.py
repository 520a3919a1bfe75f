"""Choose where a training starts from: load_from, the pretrained model, the image's weights or nothing."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Optional

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from executor.contract.errors import ModelError
from executor.contract.params import TrainParams
from executor.weights.checkpoint import choose_weights, image_weights, load_weights, read_checkpoint

logger = logging.getLogger(__name__)


class PretrainedHook(Hook):
    """Loads weights when the model has its initial ones and before the first step, on every rank alike."""

    def __init__(self, weights: Path) -> None:
        self._weights = weights

    def before_train(self, runner: Runner) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        load_weights(model, self._weights)


def starting_weights(params: TrainParams, config: Config) -> Optional[Path]:
    """Choose the weights to start from, the first that there are; None with one warning.

    Raises:
        ModelError: `load_from` names a file that does not exist.
    """
    named = config.get('load_from')
    if named:
        if not os.path.isfile(named):
            raise ModelError(f'cfg_options load_from={named}: no such file: name one that the container sees')
        return Path(named)
    weights = choose_weights(params.model_files, params.config_file)
    if weights is None:
        logger.warning('no pretrained weights: training from scratch, which needs many more epochs and images')
    return weights


def replace_downloads(node: object, will_load: bool) -> None:
    """Backbone weights that a config would download: taken from /weights by name, else left out with a warning.

    The image works without a network, so a download would only fail after a time-out. Where weights for the whole
    detector follow (`will_load`), the backbone's own are not needed.

    Raises:
        ModelError: a file that the config names holds more than weights.
    """
    if isinstance(node, (list, tuple)):
        for item in node:
            replace_downloads(item, will_load)
    if not isinstance(node, dict):
        return
    init = node.get('init_cfg')
    if isinstance(init, dict) and init.get('type') == 'Pretrained' and os.path.isfile(str(init.get('checkpoint'))):
        read_checkpoint(Path(init['checkpoint']))  # mmengine would run what is in it
    elif isinstance(init, dict) and init.get('type') == 'Pretrained':
        name = Path(str(init['checkpoint']).rpartition('://')[2]).stem
        found = image_weights(name)
        if found is not None:
            init['checkpoint'] = str(found)
        else:
            if not will_load:
                logger.warning('the backbone starts from random weights: /weights in the image holds no %s*.pth', name)
            node['init_cfg'] = None
    for value in node.values():
        replace_downloads(value, will_load)
