"""Put the user's `cfg_options` into a config."""

from __future__ import annotations

import copy
from typing import Mapping

from mmengine.config import Config

from executor.config.allowed import running_parts
from executor.config.plain import SAVED_KEYS
from executor.contract import parsers
from executor.contract.errors import ParameterError
from executor.contract.shown import clipped, shown

# What mmengine's Runner reads beside the keys that a config happens to have.
_RUNNER_KEYS = (
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'env_cfg',
    'find_unused_parameters',
    'log_processor',
    'model_wrapper_cfg',
    'sync_bn',
)


def apply_options(config: Config, options: Mapping[str, object]) -> None:
    """Merge `a.b.0.c: value` entries into the config; a list index must exist.

    A first word that mmengine does not know would be merged and never looked at, such as mmdet 2's `optimizer.lr`.
    """
    if 'resume' in options:
        raise wrong_option('resume: use args_options --resume, which finds or takes the file to resume from')
    for key in options:
        if key.rpartition('.')[2] == 'num_classes':
            raise wrong_option(f'{key}: the number of classes is that of class_names: leave it out')
    unknown = sorted({key.partition('.')[0] for key in options} - set(config) - set(_RUNNER_KEYS))
    if unknown:
        raise wrong_option(
            f'{", ".join(unknown)}: mmdet 3 has no such key and would ignore it: use keys of the config, which begin '
            f'with {", ".join(key for key in SAVED_KEYS if key in config)}'
        )
    known = dict(running_parts(config))
    try:
        config.merge_from_dict(copy.deepcopy(dict(options)))
    except (KeyError, TypeError, ValueError, IndexError, AssertionError) as error:
        reason = str(error).strip('"').partition(' of list [')[0]  # mmengine prints the whole list
        raise wrong_option(f'do not fit the config ({clipped(reason)}): name keys and list positions that it has')
    for key, value in running_parts(config):
        if key not in known:
            raise wrong_option(
                f'{key}={clipped(str(value))} would have mmdet run or unpickle what is not its own: name something '
                'that mmdet registers, or leave it out'
            )


def chosen_number(options: Mapping[str, object], key: str, default: int) -> int:
    """Read a whole number of at least 1 that the user's options may override."""
    try:
        return parsers.integer(1)(options.get(key, default))
    except ValueError as error:
        raise wrong_option(f'{key} must be {error}, found {shown(options[key])}')


def wrong_option(problem: str) -> ParameterError:
    """Make an error of cfg_options that tells the problem."""
    return ParameterError('cfg_options', f'cfg_options {problem}')
