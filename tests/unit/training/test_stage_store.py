"""Which stages stay on disk, what result.yaml lists of them, and what is removed with them."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import pytest
import yaml

from executor.contract.output.files import replace_file
from executor.contract.output.training_result import RESUME_FILE, Stage, TrainingResult
from executor.evaluation.coco import NOTHING_MEASURED, ClassResult
from executor.evaluation.thresholds import AtThreshold
from executor.training.stage_state import TrainedStage, plain_stages, read_stages
from executor.training.stage_store import StageStore, kept_stages
from tests.support.task_folder import names_in

CONFIG = 'yolox.py'
FILES = ('{}.pth', '{}.onnx', CONFIG)  # of a stage


@pytest.mark.parametrize(
    'maps, keep, kept',
    [
        ((), 1, []),
        ((0.1,), 1, [1]),
        ((0.5, 0.3, 0.4), 1, [1, 3]),  # the best and the latest
        ((0.5, 0.5, 0.4), 1, [2, 3]),  # of two equally good ones the later
        ((0.1, 0.5, 0.3, 0.4, 0.2, 0.1), 2, [2, 4, 5, 6]),
        ((0.5, 0.3, 0.4), 0, [1, 2, 3]),
        ((0.5, 0.3, 0.4), -1, [1, 2, 3]),
    ],
)
def test_kept_stages(maps, keep, kept):
    stages = [Stage(f'epoch_{n}', n, (), mAP, 0.0, 0, 0, 0, 0) for n, mAP in enumerate(maps, start=1)]
    left = kept_stages([TrainedStage(stage, (), ()) for stage in stages], keep)
    assert [trained.stage.epoch for trained in left] == kept


@pytest.mark.parametrize(
    'validated, keep, kept',  # all of mAP 0
    [((True, False), 1, [1, 2]), ((True, False, False), 1, [1, 3]), ((True, True, False), 1, [2, 3])],
)
def test_a_stage_that_is_not_validated_pushes_no_best_one_out(validated, keep, kept):
    stages = [Stage(f'epoch_{n}', n, (), 0.0, 0.0, 0, 0, 0, 0, known) for n, known in enumerate(validated, start=1)]
    left = kept_stages([TrainedStage(stage, (), ()) for stage in stages], keep)
    assert [trained.stage.epoch for trained in left] == kept


@pytest.fixture
def new_store(ymir_task):
    """A store of a training with other parameters each time, below the same folder."""

    def make(protocol: str = '1.1.0', **params) -> StageStore:
        params = ymir_task.job(config_file=f'configs/{CONFIG}', **params).training
        return StageStore(TrainingResult(ymir_task.env(protocol=protocol)), params)

    return make


def add(store: StageStore, *maps: float | None, files=FILES) -> None:
    """Stages of those mAP, None for one that is not validated, with files that say whose they are."""
    first = len(store.stages) + 1
    for epoch, mAP in enumerate(maps, start=first):
        name = f'epoch_{epoch}'
        written = tuple(file.format(name) for file in files)
        store.result.stage_dir(name).mkdir(parents=True, exist_ok=True)
        for file in written:
            (store.result.stage_dir(name) / file).write_text(name)
        if mAP is None:
            store.add(name, epoch, NOTHING_MEASURED, written)
            continue
        classes = (ClassResult('cat', 1, mAP, mAP, 1, 0, 0, AtThreshold(0.3, 0.5, 1.0, 2 / 3)),)
        store.add(name, epoch, dataclasses.replace(NOTHING_MEASURED, mAP_50=mAP, classes=classes), written)


def listed(ymir_task) -> dict[str, list[str]]:
    result = yaml.safe_load((ymir_task.models_dir / 'result.yaml').read_text(encoding='utf-8'))
    return {name: stage['files'] for name, stage in result['model_stages'].items()}


def files_below(folder: Path) -> list[str]:
    return sorted({path.name for path in folder.rglob('*.*')})


@pytest.mark.parametrize('protocol', ['1.0.0', '1.1.0'])
@pytest.mark.parametrize('patterns, files', [('', FILES), (r'.*\.pth', FILES[:1])])
def test_all_files_of_a_stage_go_with_it_listed_or_not(ymir_task, new_store, protocol, patterns, files):
    """But not the config, which in the shared folder of protocol 1.0 all stages have under one name."""
    add(new_store(protocol, max_keep_checkpoints=1, ymir_saved_file_patterns=patterns), 0.5, 0.3, 0.4)
    assert listed(ymir_task) == {name: [file.format(name) for file in files] for name in ('epoch_1', 'epoch_3')}
    left = ['epoch_1.onnx', 'epoch_1.pth', 'epoch_3.onnx', 'epoch_3.pth', 'result.yaml', CONFIG]
    assert files_below(ymir_task.models_dir) == left
    assert not (ymir_task.models_dir / 'epoch_2').exists()


def test_patterns_that_match_nothing_are_told(ymir_task, new_store, caplog):
    add(new_store(ymir_saved_file_patterns='nothing'), 0.5)
    assert listed(ymir_task) == {'epoch_1': ['epoch_1.pth', 'epoch_1.onnx', CONFIG]}
    assert 'ymir_saved_file_patterns match none of epoch_1.pth, epoch_1.onnx' in caplog.text


def test_a_stage_that_is_not_ours_to_remove_stays(ymir_task, new_store):
    store = new_store(max_keep_checkpoints=1)
    add(store, 0.5, 0.3)
    ymir_task.write('out/models/epoch_2/notes.txt', "the user's")
    ymir_task.write('out/models/epoch_2/.epoch_2.pth.77', 'left by a kill')
    add(store, 0.4)
    assert names_in(ymir_task.models_dir / 'epoch_2') == ['notes.txt']


def test_result_yaml_is_rewritten_before_anything_is_removed(ymir_task, new_store, monkeypatch):
    store = new_store(max_keep_checkpoints=1)
    add(store, 0.5, 0.3)
    write = store.write_result

    def write_with_all_there():
        assert (ymir_task.models_dir / 'epoch_2' / 'epoch_2.pth').is_file()
        write()

    monkeypatch.setattr(store, 'write_result', write_with_all_there)
    add(store, 0.4)
    assert 'epoch_2' not in listed(ymir_task)
    assert not (ymir_task.models_dir / 'epoch_2').exists()


def test_the_best_stage_is_the_latest_of_equals(new_store):
    store = new_store(max_keep_checkpoints=-1)
    add(store, 0.4, 0.5, 0.5, 0.3)
    assert store.best.stage.name == 'epoch_3'


def test_stages_are_restored_as_far_as_their_files_are_there(ymir_task, new_store):
    before = new_store(max_keep_checkpoints=-1)
    add(before, 0.5, 0.3, 0.4)
    (ymir_task.models_dir / 'epoch_2' / 'epoch_2.onnx').unlink()
    after = new_store(max_keep_checkpoints=1)
    after.restore(before.stages)
    assert after.stages == [before.stages[0], before.stages[2]]
    add(after, 0.45)  # a new epoch_3
    assert names_in(ymir_task.models_dir / 'epoch_1') == ['epoch_1.onnx', 'epoch_1.pth', CONFIG]


@pytest.mark.parametrize('protocol', ['1.0.0', '1.1.0'])
@pytest.mark.parametrize('patterns', ['', r'.*\.pth'])
def test_stages_saved_by_the_version_before_are_removed_whole(ymir_task, new_store, protocol, patterns):
    """Its state names the listed files alone; what it wrote were weights and config."""
    before = new_store(protocol, max_keep_checkpoints=-1, ymir_saved_file_patterns=patterns)
    add(before, 0.5, 0.3, files=('{}.pth', CONFIG))
    state = [{key: entry[key] for key in ('stage', 'classes')} for entry in plain_stages(before.stages)]
    after = new_store(protocol, max_keep_checkpoints=1, ymir_saved_file_patterns=patterns)
    after.restore(read_stages(state, CONFIG))
    assert after.stages == before.stages
    add(after, 0.4, files=('{}.pth', CONFIG))
    assert files_below(ymir_task.models_dir) == ['epoch_1.pth', 'epoch_3.pth', 'result.yaml', CONFIG]
    assert not (ymir_task.models_dir / 'epoch_2').exists()


def test_a_stage_is_listed_with_zeros_until_it_is_validated(ymir_task, new_store):
    store = new_store(max_keep_checkpoints=2)
    add(store, 0.0, 0.0, None)
    assert (store.best.stage.name, store.not_validated) == ('epoch_2', 3)
    assert list(listed(ymir_task)) == ['epoch_1', 'epoch_2', 'epoch_3']
    after = new_store(max_keep_checkpoints=2)
    after.restore(store.stages)
    assert (after.stages, after.not_validated) == (store.stages, 3)
    written = store.stages[-1].written
    store.add('epoch_3', 3, dataclasses.replace(NOTHING_MEASURED, mAP_50=0.2), written)
    assert (store.best.stage.name, store.best.stage.mAP, store.not_validated) == ('epoch_3', 0.2, None)
    assert list(listed(ymir_task)) == ['epoch_2', 'epoch_3']


@pytest.mark.parametrize('protocol', ['1.0.0', '1.1.0'])
def test_a_later_run_removes_what_a_kill_left_unlisted(ymir_task, new_store, protocol):
    store = new_store(protocol)
    folder = store.begin('epoch_7')
    folder.mkdir(exist_ok=True)
    (folder / 'epoch_7.pth').write_text('')
    (folder / f'.{CONFIG}.77').write_text('half')
    (folder / 'notes.txt').write_text("the user's")
    new_store(protocol).result.clear()
    assert names_in(folder) == ['notes.txt']


@pytest.mark.parametrize('protocol', ['1.0.0', '1.1.0'])
def test_what_no_run_here_made_stays_whatever_a_state_says(ymir_task, new_store, protocol):
    """Its names are sound, but the files are the user's."""
    store = new_store(protocol, max_keep_checkpoints=1)
    add(store, 0.5, 0.3)
    state = plain_stages(store.stages)
    files = [store.result.stage_dir('epoch_2') / name for name in ('notes.txt', 'other.pth')]
    for file in files:
        file.write_text("the user's")
    state[1]['written'] += tuple(file.name for file in files)
    after = new_store(protocol, max_keep_checkpoints=1)
    after.restore(read_stages(state, CONFIG))
    add(after, 0.4)
    assert [file.name for file in files if file.exists()] == ['notes.txt', 'other.pth']
    assert not (store.result.stage_dir('epoch_2') / 'epoch_2.pth').exists()


# --- the state to resume from ---------------------------------------------------------------------------------------


def add_state(store: StageStore, root: Path, epoch: int) -> None:
    """A state of a few bytes, which take the place of the one before as a training's do."""
    file = root / 'out/training' / RESUME_FILE
    replace_file(file, f'state {epoch}')
    store.add_state(f'epoch_{epoch}', file)


@pytest.mark.parametrize('links', [True, False])
def test_the_latest_stage_alone_holds_the_state(ymir_task, new_store, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, 'link', lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, 'no hard links')))
    store = new_store(max_keep_checkpoints=1, save_resume_state=True, ymir_saved_file_patterns='onnx')
    add(store, 0.5)
    ymir_task.write(f'out/models/epoch_1/.{RESUME_FILE}.{os.getpid()}', 'left by a kill')
    add_state(store, ymir_task.root, 1)
    state = ymir_task.root / 'out/training' / RESUME_FILE
    assert (ymir_task.models_dir / 'epoch_1' / RESUME_FILE).samefile(state) is links
    assert listed(ymir_task) == {'epoch_1': ['epoch_1.onnx', RESUME_FILE]}
    add(store, 0.3)  # a kill here leaves the state before
    assert listed(ymir_task) == {'epoch_1': ['epoch_1.onnx', RESUME_FILE], 'epoch_2': ['epoch_2.onnx']}
    add_state(store, ymir_task.root, 2)
    assert listed(ymir_task) == {'epoch_1': ['epoch_1.onnx'], 'epoch_2': ['epoch_2.onnx', RESUME_FILE]}
    assert names_in(ymir_task.models_dir / 'epoch_1') == ['epoch_1.onnx', 'epoch_1.pth', CONFIG]
    packed = ymir_task.models_dir / 'epoch_2' / RESUME_FILE
    assert packed.read_text() == 'state 2'
    assert packed.samefile(state) is links
    add(store, 0.4)
    assert not (ymir_task.models_dir / 'epoch_2').exists()
    assert state.read_text() == 'state 2'
    store.result.clear()
    assert files_below(ymir_task.models_dir) == []


def test_in_the_shared_folder_of_protocol_1_0_the_state_stays_with_the_latest_stage(ymir_task, new_store):
    store = new_store('1.0.0', max_keep_checkpoints=1, save_resume_state=True)
    for epoch, mAP in enumerate((0.5, 0.3, 0.4), start=1):
        add(store, mAP)
        add_state(store, ymir_task.root, epoch)
    assert [RESUME_FILE in files for files in listed(ymir_task).values()] == [False, True]
    assert (ymir_task.models_dir / RESUME_FILE).read_text() == 'state 3'


def test_a_state_of_a_run_before_is_not_listed_unless_asked_for_and_goes_with_the_next(ymir_task, new_store):
    before = new_store(save_resume_state=True, max_keep_checkpoints=-1)
    add(before, 0.5)
    add_state(before, ymir_task.root, 1)
    without, after = new_store(max_keep_checkpoints=-1), new_store(save_resume_state=True, max_keep_checkpoints=-1)
    for store, expected in ((without, False), (after, True)):
        store.restore(before.stages)
        store.write_result()
        assert (RESUME_FILE in listed(ymir_task)['epoch_1']) is expected
    add(after, 0.6)
    add_state(after, ymir_task.root, 2)
    assert [RESUME_FILE in files for files in listed(ymir_task).values()] == [False, True]
    assert not (ymir_task.models_dir / 'epoch_1' / RESUME_FILE).exists()


def test_a_stage_of_elsewhere_is_still_to_be_validated(ymir_task, new_store):
    before = new_store()
    add(before, 0.5, None)
    (ymir_task.models_dir / 'epoch_2' / 'epoch_2.pth').unlink()
    after = new_store()
    after.restore(before.stages)
    assert ([trained.stage.name for trained in after.stages], after.not_validated) == (['epoch_1'], 2)
