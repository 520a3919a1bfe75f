"""Keep parts of a backbone as they are: their weights do not learn, their norms keep their statistics."""

from __future__ import annotations

import logging
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn import Module, ModuleList

from executor.contract.errors import ParameterError
from executor.contract.params import TrainParams
from executor.contract.parsers import WHOLE_BACKBONE
from executor.training.resume_state import averaging_hooks, unwrapped_model

logger = logging.getLogger(__name__)

_NONE = TrainParams.freeze


class Part(NamedTuple):
    """A stage of a backbone: one child, or several single layers in a row, such as a stem's."""

    modules: Dict[str, Module]  # by their names in the backbone

    @property
    def name(self) -> str:
        """Name the layers."""
        return '+'.join(self.modules)


class FreezingRunner(Runner):
    """A runner that freezes what the config's `freeze` says, before the model is wrapped for several ranks.

    A wrapped model waits for the gradients of all parameters that it was wrapped with.
    """

    def wrap_model(self, model_wrapper_cfg: Optional[Any], model: Module) -> Module:
        """Freeze, then wrap."""
        freeze(model, self.cfg['freeze'])
        return super().wrap_model(model_wrapper_cfg, model)


def freeze(model: Module, wanted: str) -> None:
    """Take parts of the backbone out of learning, and tell which.

    Raises:
        ParameterError: see `frozen_parts`.
    """
    parts = frozen_parts(model, wanted)
    if not parts:
        return
    for module in (module for part in parts for module in part.modules.values()):
        module.requires_grad_(False)
    for parameter in model.backbone.parameters(recurse=False):
        parameter.requires_grad_(False)
    names, count = ', '.join(part.name for part in parts), sum(map(torch.numel, model.parameters()))
    still = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
    logger.info('frozen of the backbone: %s; %d of %d parameters do not learn', names, still, count)


class FreezeHook(Hook):
    """Keeps the norms of frozen parts from counting, and all of them as they were, in averaged weights as well."""

    priority = 48  # after SyncNormHook has averaged statistics over ranks, before EMAHook puts its weights in

    def __init__(self, frozen: str) -> None:
        self._frozen = frozen
        self._state: Dict[str, torch.Tensor] = {}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        for part in frozen_parts(unwrapped_model(runner), self._frozen):
            for module in part.modules.values():
                if module.training:  # mmengine puts the whole model into training mode in each epoch
                    module.eval()

    def before_train_epoch(self, runner: Runner) -> None:
        if not self._state:
            model = unwrapped_model(runner)
            names = [f'backbone.{name}.' for part in frozen_parts(model, self._frozen) for name in part.modules]
            own = [f'backbone.{name}' for name, _ in model.backbone.named_parameters(recurse=False) if names]
            self._state = {
                name: value.clone()
                for name, value in model.state_dict().items()
                if name.startswith(tuple(names)) or name in own
            }

    def after_train_epoch(self, runner: Runner) -> None:
        self._put_back(runner)

    def before_val_epoch(self, runner: Runner) -> None:
        self._put_back(runner)

    def _put_back(self, runner: Runner) -> None:
        """Undo what averaging a number with itself rounds."""
        for model in (unwrapped_model(runner), *(hook.ema_model.module for hook in averaging_hooks(runner))):
            state = model.state_dict()
            for name, value in self._state.items():
                state[name].copy_(value)


def frozen_parts(model: Module, wanted: str) -> List[Part]:
    """Choose the parts to freeze, from the stem on.

    Raises:
        ParameterError: the detector has no backbone, or one of fewer parts.
    """
    if wanted == _NONE:
        return []
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, Module):
        raise ParameterError('freeze', f'freeze: the detector ({type(model).__name__}) has no backbone: set it to none')
    parts = backbone_parts(backbone)
    if wanted == WHOLE_BACKBONE:
        return parts
    if int(wanted) > len(parts):
        names = ', '.join(part.name for part in parts)
        raise ParameterError(
            'freeze',
            f'freeze must be none, backbone or at most {len(parts)} for this detector, found {wanted}: the stages of '
            f'its backbone ({type(backbone).__name__}) are {names}',
        )
    return parts[: int(wanted)]


def backbone_parts(backbone: Module) -> List[Part]:
    """Part a backbone into its stages, in the order in which it was built."""
    parts: List[Part] = []
    in_row = False
    for name, module in _children(backbone):
        if not module.state_dict():
            continue  # an activation, or a pooling
        single = next(module.children(), None) is None
        if single and in_row:
            parts[-1].modules[name] = module
        else:
            parts.append(Part({name: module}))
        in_row = single
    return parts


def _children(module: Module, prefix: str = '') -> Iterator[Tuple[str, Module]]:
    for name, child in module.named_children():
        if isinstance(child, ModuleList):
            yield from _children(child, f'{prefix}{name}.')
        else:
            yield f'{prefix}{name}', child


def check_frozen(config: Config, params: TrainParams, has_weights: bool) -> None:
    """Refuse to freeze random weights.

    Args:
        config: without the downloads that are not at hand.
        params: the task's.
        has_weights: weights for the whole detector, or a state to resume from, will be loaded.

    Raises:
        ParameterError: no weights for the backbone will be loaded.
    """
    if params.freeze != _NONE and not has_weights and not _loads_weights(config['model']):
        raise ParameterError(
            'freeze',
            f'freeze: {params.freeze} would keep random weights, since there are none to start from: choose a '
            'pretrained model, or set freeze to none',
        )


def _loads_weights(node: object) -> bool:
    if isinstance(node, dict):
        return str(node.get('type')).rpartition('.')[2] == 'Pretrained' or any(map(_loads_weights, node.values()))
    return isinstance(node, (list, tuple)) and any(map(_loads_weights, node))
