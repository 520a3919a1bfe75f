"""Let weights that tell what network they are of decide the model of a config."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Mapping, Optional

from mmengine.config import Config

from executor.contract.errors import ModelError
from executor.contract.shown import clipped
from executor.models.held import HeldModel

logger = logging.getLogger(__name__)


def take_held_model(config: Config, held: Optional[HeldModel], weights: Path) -> None:
    """Change the model of a config to the one that `weights` are of, where they tell it.

    Raises:
        ModelError: the config is of another kind of network.
    """
    if held is None:
        return
    found = _strange(config['model'], held)
    if found is not None:
        raise ModelError(
            f'{weights} is of {held.name}, and does not fit config_file, whose detector has {found}: set config_file '
            f'to {held.config_file}'
        )
    if held.changes:
        config.merge_from_dict({'model': held.changes})
        logger.info('%s is of %s: its size and anchors are used', weights.name, held.name)


def _strange(model: Mapping[str, object], held: HeldModel) -> Optional[str]:
    """Find what no network of such weights has; None where it can be made to fit."""
    head = model.get('bbox_head')
    kind = str(head.get('type')) if isinstance(head, dict) else None
    if kind != held.head:
        return 'none of its kind' if kind is None else clipped(kind)
    for part, values in held.needed.items():
        found = model.get(part)
        for key, value in values.items():
            if not isinstance(found, dict) or found.get(key) != value:
                return f'another {part}'
    return None
