"""Save the state that a training can be resumed from, and find it again."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Dict, Optional

from mmengine.config import Config
from mmengine.runner import Runner

from executor import dist
from executor.contract.errors import ModelError, ParameterError
from executor.contract.options import RESUME_LATEST
from executor.contract.output.files import replaced_path
from executor.contract.output.writable import is_full
from executor.contract.params import TrainParams
from executor.weights.checkpoint import meta_of, model_parameters, read_checkpoint

logger = logging.getLogger(__name__)

RESUME_FILE = 'resume.pth'
_PARTS = ('state_dict', 'optimizer', 'message_hub')  # of a state, which mmengine takes for granted


def find_resume_file(params: TrainParams, config: Config) -> Optional[Path]:
    """Find the state to resume from, and check that it can be; None without `--resume`.

    Raises:
        ModelError: the file is none, or holds weights only.
        ParameterError: the schedule is another than the one it began with.
    """
    wanted = params.args_options.resume
    if wanted is None:
        return None
    file = Path(config['work_dir'], RESUME_FILE) if wanted == RESUME_LATEST else Path(wanted)
    if wanted == RESUME_LATEST and not file.is_file():
        logger.warning('--resume: %s does not exist, so nothing was trained here before: starting anew', file)
        return None
    checkpoint = read_checkpoint(file)
    reached = meta_of(checkpoint)
    whole = all(isinstance(checkpoint.get(part), dict) for part in _PARTS)
    counted = all(isinstance(reached.get(count), int) for count in ('epoch', 'iter'))
    if not whole or not counted or 'config' in reached:  # mmengine would run the text of a config
        raise ModelError(
            f'args_options --resume {file}: the file holds weights only, or the state of another program: resume from '
            f'the {RESUME_FILE} of a training, or use the weights as pretrained model'
        )
    model_parameters(checkpoint, file)  # what is not finite would only be seen at the first loss, or in the next task
    began, now = checkpoint.get('ymir_schedule', {}), schedule_of(config)
    changed = [f'{key} was {began[key]}, is {now[key]}' for key in now if key in began and began[key] != now[key]]
    if changed:
        problem = f'goes on with the schedule that {file} began with, but {"; ".join(changed)}'
        remedy = 'set it back, or start anew from the model as pretrained weights'
        raise ParameterError('args_options', f'args_options --resume {problem}: {remedy}')
    return file


def schedule_of(config: Config) -> Dict[str, int]:
    """Return what a resumed training must share with the one before: its learning rate is a curve over both."""
    epochs, batch = config['train_cfg']['max_epochs'], config['train_dataloader']['batch_size']
    return {'max_epochs': epochs, 'batch_size': batch, 'ranks': dist.world_size()}


def save_resume_state(runner: Runner, epoch: int, folder: Path) -> None:
    """Save everything `--resume` needs; the file before stays until this one is whole."""
    for half in folder.glob(f'.{RESUME_FILE}.*'):  # of a run that was killed
        half.unlink()
    try:
        with replaced_path(folder / RESUME_FILE) as beside:
            # The epoch is over, whether mmengine has counted it already or not.
            runner.save_checkpoint(str(beside.parent), beside.name, meta={'epoch': epoch, 'iter': runner.iter})
    except OSError as error:
        if not is_full(error):
            raise
        # It is many times as large as a model, which is what the user wants: train on as long as those fit.
        logger.warning('%s is full: the state of epoch %d, to resume from, is not saved', folder, epoch)
