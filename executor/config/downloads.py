"""Keep a config from downloading the weights that it names: the image works without a network."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from executor.weights.checkpoint import read_checkpoint
from executor.weights.choose import image_weights

logger = logging.getLogger(__name__)


def replace_downloads(node: object, will_load: bool) -> None:
    """Take backbone weights that a config would download from /weights by name, else leave them out with a warning.

    A download would only fail after a time-out. Where weights for the whole detector follow (`will_load`), the
    backbone's own are not needed.

    Args:
        node: the config's model, or a part of it; changed in place.
        will_load: whether weights for the whole detector follow.

    Raises:
        ModelError: a file that the config names holds more than weights.
    """
    if isinstance(node, (list, tuple)):
        for item in node:
            replace_downloads(item, will_load)
    if not isinstance(node, dict):
        return
    init = node.get('init_cfg')
    if isinstance(init, dict) and init.get('type') == 'Pretrained':
        name = Path(str(init['checkpoint']).rpartition('://')[2]).stem
        found = image_weights(name)
        if os.path.isfile(str(init['checkpoint'])):
            read_checkpoint(Path(init['checkpoint']))  # mmengine would run what is in it
        elif found is not None:
            init['checkpoint'] = str(found)
        else:
            if not will_load:
                logger.warning('the backbone starts from random weights: /weights in the image holds no %s*.pth', name)
            node['init_cfg'] = None
    for value in node.values():
        replace_downloads(value, will_load)
