"""Tell failures inside mmdet as what they are: a config, or options, that do not fit."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping

from mmengine.config import Config

from executor.config.find import OUR_CONFIGS, mmdet_configs
from executor.contract.errors import ExecutorError, ModelError, ParameterError
from executor.contract.shown import clipped
from executor.machine.memory import is_of_the_machine


@contextmanager
def config_to_blame(config: Config, options: Mapping[str, object]) -> Iterator[None]:
    """Blame whatever mmdet raises in the block on the user's cfg_options, else on the config, unless that is ours.

    Failures of the machine pass as they are.

    Raises:
        ParameterError: with the options or with config_file, which is one of mmdet's.
        ModelError: with the config of the model package.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ExecutorError) or is_of_the_machine(error):
            raise
        # mmengine puts the failure of a part below the names of all that hold it.
        last_line = (str(error).strip() or type(error).__name__).splitlines()[-1]
        reason = f'{type(error).__name__}: {clipped(last_line)}'
        file = Path(config.filename)
        if options:
            given = clipped(' '.join(f'{key}={clipped(str(value))}' for key, value in options.items()), 1000)
            raise ParameterError(
                'cfg_options',
                f'cfg_options do not fit the detector ({reason}): correct them, or leave them out: {given}',
            ) from error
        if mmdet_configs() in file.parents:
            raise ParameterError(
                'config_file',
                f'config_file {file.name}: the detector cannot be built or run here ({reason}): choose another',
            ) from error
        if OUR_CONFIGS in file.parents:
            raise
        raise ModelError(
            f'{file}: the detector cannot be built or run from this config ({reason}): use the config that the '
            'training wrote, or set config_file to one of this image'
        ) from error
