"""Choose where a training starts from: load_from, the pretrained model, the image's weights or nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner

from executor.config.known_models import known_models
from executor.contract.errors import ModelError
from executor.contract.params import TrainParams
from executor.contract.shown import listed
from executor.training.resume_state import unwrapped_model
from executor.weights.choose import architecture, choose_weights
from executor.weights.image import names_in_image
from executor.weights.match import load_weights


def from_scratch(config_file: str) -> str:
    """Warn that a training starts with random weights, and say which there are and how to use them."""
    words = ['no pretrained weights: training from scratch, which needs many more epochs and images']
    wanted = architecture(config_file)
    for model in known_models():
        if architecture(model.config_file) == wanted:
            words.append(
                f'those of {model.model} are published at {model.weights} ({model.licence}): choose the file as '
                'pretrained model, or build the image with it'
            )
    here = names_in_image()
    if here:
        words.append(f'the image has {listed(here)}, for a config_file that begins with the same name')
    return '; '.join(words)


class PretrainedHook(Hook):
    """Loads weights once the model has its initial ones, on every rank alike."""

    def __init__(self, weights: Path) -> None:
        self._weights = weights

    def before_train(self, runner: Runner) -> None:
        load_weights(unwrapped_model(runner), self._weights)


def starting_weights(params: TrainParams) -> Optional[Path]:
    """Choose the weights to start from, the first that there are.

    Raises:
        ModelError: `load_from` names a file that does not exist.
    """
    named = params.config_options.get('load_from')
    if not named:
        return choose_weights(params.model_files, params.config_file)
    if not os.path.isfile(str(named)):
        raise ModelError(f'cfg_options load_from={named}: no such file: name one that the container sees')
    return Path(str(named))
