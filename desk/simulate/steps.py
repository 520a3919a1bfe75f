"""Run a step of a simulation by start.py, in a small task folder: its images and annotations are those of the task."""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Sequence

import yaml

from desk.check import ENV_FILE
from desk.run import run_start
from desk.settings import config_text
from desk.simulate.plan import MINING, TRAINING, Step
from desk.simulate.pool import Pool
from desk.simulate.record import Found
from desk.task_folder import env_values, make_folders, write_index, write_text
from desk.weights import model_files
from executor.contract.env import Env, OutputPaths, read_env

STOPPED = [128 + number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

_STATE = Path('out', 'training', 'resume.pth')  # of a training that was stopped

# What costs time and is not looked at.
_UNUSED = {'export_onnx': 'off', 'save_resume_state': False, 'max_keep_checkpoints': 1, 'ymir_saved_file_patterns': ''}


class StepFailed(Exception):
    """A step ended with `status`, not with a result; the message is its own, with the place of its log."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Steps:
    """Runs steps, each in a folder of its own below `folder`; the working directory is that of the task.

    Args:
        env: that of the task, relative paths in it beginning where the task does.
        config: the settings of each training.
        count: images that a mining chooses.
    """

    folder: Path
    env: Env
    config: Mapping[str, object]
    pool: Pool
    count: int

    def run(self, step: Step, labelled: Sequence[int], update: Callable[[float, str], None]) -> Found:
        """Run a step where these images are labelled; returns what it found, without the seconds.

        Raises:
            StepFailed: start.py failed, or was stopped.
        """
        return (self._train if step.kind == TRAINING else self._mine)(step, labelled, update)

    def has_model(self, training: Step) -> bool:
        """Tell whether the model of a training is there."""
        env_file = self.folder / training.name / ENV_FILE
        return env_file.is_file() and read_env(env_file).output.training_result_file.is_file()

    def remove(self, step: Step) -> None:
        """Remove what a step has left, its model as well."""
        shutil.rmtree(self.folder / step.name, ignore_errors=True)

    def _train(self, step: Step, labelled: Sequence[int], update: Callable[[float, str], None]) -> Found:
        if not (self.folder / step.name / _STATE).is_file():
            return self._train_from(step, labelled, update, '')
        try:
            return self._train_from(step, labelled, update, ' --resume')
        except StepFailed as failed:
            if failed.status in STOPPED:
                raise
        self.remove(step)  # the state does not fit: memory had ended, and it is of half the batch
        return self._train_from(step, labelled, update, '')

    def _train_from(
        self, step: Step, labelled: Sequence[int], update: Callable[[float, str], None], resume: str
    ) -> Found:
        folder = self.folder / step.name
        arguments = f'{self.config.get("args_options") or ""} --seed {step.seed}{resume}'.strip()
        config = yaml.safe_dump({**self.config, **_UNUSED, 'args_options': arguments}, sort_keys=False)
        lines = [self.pool.lines[image] for image in labelled]
        self._write(step, config, 'train', [(line.image, line.annotation) for line in lines])
        output = self._start(folder, update)
        result = yaml.safe_load(output.training_result_file.read_text(encoding='utf-8'))
        return {'ap_50': result['mAP']}

    def _mine(self, step: Step, labelled: Sequence[int], update: Callable[[float, str], None]) -> Found:
        settings = {
            'mining_algorithm': step.scorer,
            'diversity': 'on' if step.diverse else 'off',
            'seed': str(1000 * step.seed + step.round),
        }
        filled_in: Dict[str, object] = {key: self.config.get(key) for key in ('class_names', 'gpu_id', 'gpu_count')}
        if step.model is not None:
            filled_in['model_params_path'] = [str(file) for file in model_files([self.folder / step.model.name])]
        config = config_text(MINING, settings, {key: value for key, value in filled_in.items() if value is not None})
        images = {str(self.pool.lines[image].image): image for image in self.pool.rest(labelled)}
        self._write(step, config, 'candidate', [(path,) for path in images])
        output = self._start(self.folder / step.name, update)
        ranked = output.mining_result_file.read_text(encoding='utf-8').split('\n')
        return {'chosen': [images[line.rpartition('\t')[0]] for line in ranked[: self.count]]}

    def _write(self, step: Step, config: str, index: str, rows: Sequence[Sequence[object]]) -> None:
        folder = self.folder / step.name
        make_folders(folder)
        write_index(folder, f'{index}-index.tsv', rows)
        write_text(folder / 'in' / 'config.yaml', config)
        is_training = step.kind == TRAINING
        values = env_values(folder, task_id=step.name, training=is_training, mining=not is_training)
        paths, own = self.env.input, values['input']
        assert isinstance(own, dict)
        own.update({name: str(getattr(paths, name)) for name in ('root_dir', 'assets_dir', 'annotations_dir')})
        if is_training:
            own.update(models_dir=str(paths.models_dir), val_index_file=str(paths.val_index_file))
        write_text(folder / ENV_FILE, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))

    def _start(self, folder: Path, update: Callable[[float, str], None]) -> OutputPaths:
        """Run start.py in the working directory, and return where its results lie."""
        output = read_env(folder / ENV_FILE).output
        status, log = run_start(Path(), folder / ENV_FILE, output, update)
        if status:
            raise StepFailed(status, f'{log.last_line()}; the whole log: {log.file}')
        return output


def labelled_before(step: Step, first: Sequence[int], found: Mapping[str, Found]) -> List[int]:
    """List the images that are labelled when a step begins: the first, and those that the minings before chose."""
    minings = [Step(MINING, step.seed, step.algorithm, number) for number in range(1, step.round + 1)]
    chosen = [image for mining in minings if mining != step for image in found[mining.name]['chosen']]
    return [*first, *chosen]
