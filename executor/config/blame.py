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
    """Blame whatever mmdet raises in the block on the user's options, else on the config, unless that is ours.

    Failures of the machine pass as they are.

    Args:
        config: as `load_config` gives it.
        options: the user's cfg_options.

    Raises:
        ParameterError: with the options or with config_file, which is one of mmdet's.
        ModelError: with the config of the model package.
    """
    try:
        yield
    except (ExecutorError, OSError, MemoryError):
        raise
    except Exception as error:
        if is_of_the_machine(error):
            raise
        reason = f'{type(error).__name__}: {clipped(_last_line(error))}'
        file = Path(config.filename)
        if options:
            given = ' '.join(f'{key}={clipped(str(value))}' for key, value in options.items())
            raise ParameterError(
                'cfg_options',
                f'cfg_options do not fit the detector ({reason}): correct them, or leave them out: '
                f'{clipped(given, 1000)}',
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
            'training wrote'
        ) from error


def _last_line(error: Exception) -> str:
    """Give the last line of a message: mmengine puts the failure of a part below the names of all that hold it."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1]
