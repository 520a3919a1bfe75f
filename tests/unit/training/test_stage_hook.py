"""When a stage is saved, what it holds, and what is left of a validation that fails."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook

from executor.contract.errors import ValidationMemoryError
from executor.contract.output.training_result import TrainingResult
from executor.evaluation.coco import NOTHING_MEASURED, ClassResult
from executor.training.metric import NOT_VALIDATED, DetectionMetric
from executor.training.stage_hook import StageHook
from executor.training.stage_store import StageStore
from executor.weights.checkpoint import class_ap_of, read_checkpoint
from tests.support.refusal import refusal


class OtherStatistics(Hook):
    """Changes the model before a validation, as mmdet's SyncNormHook does with several ranks."""

    def before_val_epoch(self, runner) -> None:
        runner.model.running_var.fill_(7)


class Runner(SimpleNamespace):
    """A training of one layer, up to where it validates."""

    def __init__(self, hook: StageHook, *others: Hook) -> None:
        metric = DetectionMetric()
        super().__init__(
            rank=0, epoch=1, iter=7, max_epochs=9, model=torch.nn.BatchNorm1d(2), hooks=[*others, hook], saved=[]
        )
        self.val_loop, self.val_evaluator = SimpleNamespace(run=self.validate), SimpleNamespace(metrics=[metric])
        for other in others:
            other.before_run(self)

    def train(self) -> None:
        with torch.no_grad():
            self.model.weight.add_(1)
            self.model(torch.rand(8, 2))
        for hook in self.hooks:
            hook.after_train_iter(self, batch_idx=0)

    def validate(self, fails: bool = False) -> None:
        for hook in self.hooks:
            hook.before_val_epoch(self)
        self.validated = parameters(self.model)
        if fails:
            return
        cat = ClassResult('cat', 2, 0.125, 0.25, 1, 0, 1)
        evaluation = dataclasses.replace(NOTHING_MEASURED, mAP_50=0.25, classes=(cat,))
        self.val_evaluator.metrics[0].validation = dataclasses.replace(NOT_VALIDATED, evaluation=evaluation)
        for hook in self.hooks:
            hook.after_val_epoch(self)

    def save_checkpoint(self, folder: str, name: str, meta: dict) -> None:
        (Path(folder) / name).write_text('')
        self.saved.append(parameters(self.model))


def parameters(model: torch.nn.Module) -> dict[str, list]:
    return {name: value.tolist() for name, value in model.state_dict().items()}


@pytest.fixture
def new(ymir_task):
    """A runner with its hooks, and the store that they write to."""

    def make(*others: Hook) -> tuple[Runner, StageStore]:
        params = ymir_task.job(class_names=['cat'], config_file='configs/yolox.py').training
        config = Config({'work_dir': str(ymir_task.root / 'out/training'), 'model': {}})
        store = StageStore(TrainingResult(ymir_task.env()), params)
        return Runner(StageHook(store, params, config), *others), store

    return make


def weights(store: StageStore, epoch: int = 1) -> dict:
    name = f'epoch_{epoch}'
    return read_checkpoint(store.result.stage_dir(name) / f'{name}.pth')


AVERAGED = {'momentum': 0.5}


@pytest.mark.parametrize(
    'others',
    [
        (),
        (OtherStatistics(),),
        (EMAHook(**AVERAGED),),
        (EMAHook(update_buffers=True, **AVERAGED),),
        (OtherStatistics(), EMAHook(update_buffers=True, **AVERAGED)),
        (EMAHook(**AVERAGED), OtherStatistics()),
    ],
)
@pytest.mark.parametrize('fails', [False, True])
def test_a_stage_holds_what_is_validated_and_the_state_what_is_trained(new, others, fails):
    runner, store = new(*others)
    for _ in range(3):
        runner.train()
    trained = runner.model.weight.tolist()
    runner.validate(fails)
    found = weights(store)
    assert {name: value.tolist() for name, value in found['state_dict'].items()} == runner.validated
    averaged = any(isinstance(hook, EMAHook) for hook in others)
    assert (runner.validated['weight'] != trained) is averaged
    assert [state['weight'] for state in runner.saved] == [trained] * (1 if fails else 2)
    assert found['meta']['mAP'] == (0 if fails else 0.25)
    assert class_ap_of(found) == (None if fails else (0.125,))
    stage = store.stages[0].stage
    assert (stage.mAP, stage.validated) == ((0, False) if fails else (0.25, True))
    assert fails or runner.model.weight.tolist() == trained


def test_a_validation_that_failed_is_made_up_for_when_the_training_goes_on(new):
    runner, store = new()
    runner.validate(fails=True)
    after, resumed = new()
    resumed.restore(store.stages)
    after.hooks[0].before_train(after)
    assert [(one.stage.epoch, one.stage.mAP, one.stage.validated) for one in resumed.stages] == [(1, 0.25, True)]
    after.hooks[0].before_train(after)  # only once
    assert len(after.saved) == 2


def test_without_validation_nothing_is_made_up_for(new):
    runner, store = new()
    runner.validate(fails=True)
    after, resumed = new()
    resumed.restore(store.stages)
    after.val_loop = None
    after.hooks[0].before_train(after)
    assert after.saved == []


def test_only_a_failure_in_a_validation_is_told_as_one(new, caplog):
    runner, _ = new()
    hook, memory = runner.hooks[0], RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')
    hook.raise_as_of_validation(runner, memory)
    runner.validate()
    hook.raise_as_of_validation(runner, memory)
    assert 'validation of' not in caplog.text
    runner.validate(fails=True)
    told = refusal(ValidationMemoryError, hook.raise_as_of_validation, runner, memory)
    assert told.startswith('out of GPU memory in the validation of epoch 1 (CUDA out of memory. Tried to allocate 2')
    assert ValidationMemoryError.code == 300103
    hook.raise_as_of_validation(runner, ValueError('another'))
    assert caplog.messages[-1] == (
        'the validation of epoch 1 failed: the epoch stays listed, with mAP 0; --resume validates it again'
    )
