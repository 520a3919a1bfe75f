"""Validate any model that inference takes on the validation set of a training task.

It goes the way of the training's own validation: mmdet's `val_step` in single precision, batches as the task sets them,
every box of the model's own score threshold and above, corners not rounded. Inference's ONNX Runtime or half precision
would move scores by rounding, and numbers that count ranks with them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import List, Sequence, Tuple

import torch
from mmengine.runner import Runner

from desk.check import ENV_FILE
from desk.models import Model
from desk.progress import Bar
from desk.usage import UsageError
from executor.config.allowed import LOADERS, OUR_DATASET
from executor.config.overrides import chosen_number
from executor.config.plain import ConfigDict
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.errors import ExecutorError, ModelError
from executor.contract.inputs import check_inputs
from executor.contract.params import InferParams, TrainParams
from executor.contract.shown import clipped, listed
from executor.detector.model import load_model
from executor.log import quiet
from executor.machine import fork_server
from executor.machine.gpus import check_gpus, show_gpus
from executor.process.explain import explained
from executor.training.data import with_truth
from executor.training.examination import Examination, examine
from executor.training.loading import set_beginning
from executor.training.metric import DetectionMetric, Validation
from executor.training.workers import choose_workers, set_workers


@dataclass(frozen=True)
class ValidationSet:
    """The validation set of a training task; paths in it may begin in the task's folder, the working directory."""

    index: Path
    params: TrainParams  # with one GPU at most, which torch sees as its first

    @property
    def class_names(self) -> Tuple[str, ...]:
        """Return the classes to find, in the order of their ids."""
        return self.params.class_names


def open_task(folder: Path) -> ValidationSet:
    """Enter a task's folder, where the paths of one that `make` made begin, and find what it validates with.

    Raises:
        UsageError: the task has no validation set.
        ExecutorError: what it says of it cannot be used.
    """
    os.chdir(str(folder))
    env = read_env(ENV_FILE)
    index = env.input.val_index_file
    if not env.run_training or index is None:
        raise UsageError(f'--on {folder} has no validation set: name a task that was made with --task training')
    job = read_job(env)
    check_inputs(job)
    assert job.training is not None, 'env.yaml says so'
    gpus = job.gpu_ids[:1]
    show_gpus(gpus)
    return ValidationSet(index, replace(job.training, gpu_ids=gpus))


@dataclass(frozen=True)
class Validated:
    """What was measured of a model, beside what is told of it."""

    validation: Validation
    detector: str
    device: str
    notes: Sequence[str] = field(default_factory=tuple)  # whole sentences
    examination: Examination = field(default_factory=Examination)  # where it was asked for


def validate(model: Model, data: ValidationSet, bar: Bar, closely: bool = False) -> Validated:
    """Find boxes in every image and evaluate them by the classes of the task; `closely`: also examine the model.

    Raises:
        ExecutorError: the model or an image cannot be used, or memory or a GPU is missing.
    """
    try:
        with quiet():
            return _validate(model, data, bar, closely)
    except Exception as error:  # as a worker's, whose failures are told the same
        problem = explained(error)
        if not isinstance(problem, ExecutorError):
            raise
        raise _as_of_the_command(problem)


def _as_of_the_command(problem: ExecutorError) -> ExecutorError:
    """Say what to do here where a task's parameter is meant."""
    told = str(problem).replace('give class_names of the model', 'say --classes with the names of the model')
    return problem if told == str(problem) else ModelError(told)


def _validate(model: Model, data: ValidationSet, bar: Bar, closely: bool) -> Validated:
    gpus = data.params.gpu_ids
    check_gpus(gpus, 0)
    device = torch.device('cuda' if gpus else 'cpu')
    params = replace(model.params, class_names=model.class_names or data.class_names)
    loaded = load_model(params)
    detector = loaded.model.to(device)
    of_task = _labels(params, data)
    labels = torch.tensor(of_task)
    metric = DetectionMetric(collect_dir=None)
    metric.dataset_meta = {'classes': data.class_names}
    loader = Runner.build_dataloader(_loader(loaded.pipeline, data, bool(gpus)))
    if loader.num_workers > 0:
        fork_server.begin('executor.training.loading')
        set_beginning(loader, threads=1)
    with bar.told(model.name), torch.no_grad():
        for number, batch in enumerate(loader, start=1):
            samples = [sample.cpu() for sample in detector.val_step(batch)]  # where some heads leave boxes anyway
            for sample in samples:
                found = sample.pred_instances
                found.labels = labels[found.labels]
                sample.pred_instances = found[found.labels >= 0]
            metric.process(batch, [sample.to_dict() for sample in samples])
            bar.update(number / len(loader))
    metric.compute_metrics(metric.results)
    parameters = sum(parameter.numel() for parameter in detector.parameters())
    examination = examine(loaded, device, metric.validation, of_task) if closely else Examination()
    return Validated(
        validation=metric.validation,
        detector=f'{type(detector).__name__}, {parameters:,} parameters',
        device=torch.cuda.get_device_name() if gpus else 'CPU',
        notes=_notes(model, data),
        examination=examination,
    )


def _labels(params: InferParams, data: ValidationSet) -> List[int]:
    """Give the label that each class of the model has in the task; -1 for one that it does not look for."""
    names = list(data.class_names)
    return [names.index(name) if name in names else -1 for name in params.class_names]


def _notes(model: Model, data: ValidationSet) -> Sequence[str]:
    """Say what of the model's classes and of the task's is not the other's."""
    if model.class_names is None:
        return [f'the weights do not name their classes, which are taken for {_named(data.class_names)} (--classes)']
    lacking = [name for name in data.class_names if name not in model.class_names]
    other = [name for name in model.class_names if name not in data.class_names]
    parts = []
    if lacking:
        told = 'counts' if len(lacking) == 1 else 'count'
        parts.append(f'does not look for {_classes(lacking)} of the task ({_named(lacking)}), which {told} as missed')
    if other:
        told = 'does' if len(other) == 1 else 'do'
        parts.append(f'finds {_classes(other)} that the task does not have ({_named(other)}), which {told} not count')
    return ['the model ' + ', and '.join(parts)] if parts else ()


def _classes(names: Sequence[str]) -> str:
    return f'{len(names)} class{"es" if len(names) > 1 else ""}'


def _named(names: Sequence[str]) -> str:
    return listed([clipped(name, 40) for name in names])


def _loader(pipeline: Sequence[ConfigDict], data: ValidationSet, use_gpu: bool) -> ConfigDict:
    """Describe how the images come, by the model's own preparation, as a training describes it."""
    params = data.params
    dataset = {
        'type': OUR_DATASET,
        'index_file': str(data.index),
        'export_format': params.export_format,
        'metainfo': {'classes': data.class_names},
        'test_mode': True,
        'pipeline': with_truth(pipeline),
    }
    loader: ConfigDict = {
        'dataset': dataset,
        'batch_size': chosen_number(params.config_options, 'val_dataloader.batch_size', params.samples_per_gpu),
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
    }
    loaders = dict.fromkeys(LOADERS, loader)
    choose_workers(loaders, params.workers_per_gpu, 1, use_gpu)
    set_workers(loaders, 1, use_gpu)
    if loader['num_workers'] > 0:
        loader['multiprocessing_context'] = fork_server.CONTEXT
    return loader
