"""The platform's own SDK as a second opinion on protocol 0: its readers and writers against ours."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import yaml

from desk.task_folder import write_env, write_index
from executor.contract.env import Env, read_env
from executor.contract.index import read_candidate_index, read_training_index
from executor.contract.output.infer_result import ResultKeys, infer_line, write_infer_result
from executor.contract.output.mining_result import score_text, write_mining_result
from executor.contract.output.monitor import Monitor
from executor.contract.output.training_result import Stage, TrainingResult
from tests.support.task_folder import TaskFolder

pytest.importorskip('ymir_exc')  # the older stack's Python has none
from ymir_exc import dataset_reader, env, monitor, result_writer, settings  # noqa: E402

pytestmark = pytest.mark.filterwarnings('ignore::DeprecationWarning')  # it calls pydantic by its old names

TASKS = [{'training': True}, {'training': False, 'mining': True}, {'training': False, 'mining': True, 'infer': True}]


@pytest.fixture
def task(ymir_task: TaskFolder, monkeypatch: pytest.MonkeyPatch) -> TaskFolder:
    """A task whose env.yaml the SDK finds too."""
    monkeypatch.setattr(settings, 'DEFAULT_ENV_FILE_PATH', str(ymir_task.root / 'in' / 'env.yaml'))
    return ymir_task


def env_of(task: TaskFolder, **flags: bool) -> Env:
    return read_env(write_env(task.root, protocol=None, **flags))


@pytest.mark.parametrize('flags', TASKS, ids=str)
def test_env_yaml(task: TaskFolder, flags):
    ours, theirs = env_of(task, **flags), env.get_current_env()
    for name in ('task_id', 'run_training', 'run_mining', 'run_infer'):
        assert getattr(ours, name) == getattr(theirs, name)
    for section in ('input', 'output'):
        paths = {name: str(path or '') for name, path in vars(getattr(ours, section)).items()}
        assert paths == getattr(theirs, section).dict()


@pytest.mark.parametrize('split', ['TRAINING', 'VALIDATION'])
def test_a_training_index(task: TaskFolder, split):
    paths = env_of(task, training=True).input
    file = {'TRAINING': paths.training_index_file, 'VALIDATION': paths.val_index_file}[split]
    write_index(task.root, file.name, [('/in/assets/0a/a b.jpg', '/in/annotations/a b.txt'), ('/in/ü', '/in/ü.txt')])
    ours = [(str(line.image), str(line.annotation)) for line in read_training_index(file)]
    assert ours == list(dataset_reader.item_paths(dataset_reader.DatasetType[split]))


@pytest.mark.parametrize('rows', [[('/in/a b.jpg',), ('/in/ü',)], [('/in/a.jpg', '/in/a.txt'), ('/in/b.jpg', 'b')]])
def test_a_candidate_index(task: TaskFolder, rows):
    paths = env_of(task, training=False, mining=True).input
    file = write_index(task.root, paths.candidate_index_file.name, rows)
    theirs = dataset_reader.item_paths(dataset_reader.DatasetType.CANDIDATE)
    assert list(read_candidate_index(file)) == [image for image, _ in theirs]


def test_result_tsv(task: TaskFolder):
    ours = env_of(task, training=False, mining=True)
    scores = [0.5, -0.1, 0.1 + 0.2, 0.3, 0.5, 1e-9, -10.0, 0.5]  # with ties
    paths = [f'/in/assets/{number}.jpg' for number in range(len(scores))]
    result_writer.write_mining_result(list(zip(paths, scores)))
    theirs = ours.output.mining_result_file.read_bytes()
    write_mining_result(ours, paths, enumerate(map(score_text, scores)))
    assert ours.output.mining_result_file.read_bytes() == theirs


def test_infer_result_json(task: TaskFolder):
    ours = env_of(task, training=False, infer=True)
    found = {
        '/in/assets/0a/a.jpg': [('cat', 0.8, (30, 40, 50, 60)), ('größer', 0.000001, (0, 0, 1, 1))],
        '/in/assets/0b/ü "b"': [],
        '/in/assets/0c/c.jpg': [('dog', 1.0, (5, 6, 7, 8))],
    }

    def annotation(name: str, score: float, box: tuple[int, int, int, int]) -> result_writer.Annotation:
        return result_writer.Annotation(class_name=name, score=score, box=dict(zip('xywh', box)))

    result_writer.write_infer_result({path: [annotation(*box) for box in boxes] for path, boxes in found.items()})
    theirs = json.loads(ours.output.infer_result_file.read_text(encoding='utf-8'))
    write_infer_result(ours, ResultKeys(found), enumerate(map(infer_line, found.values())))
    assert json.loads(ours.output.infer_result_file.read_text(encoding='utf-8')) == theirs


def test_result_yaml(task: TaskFolder):
    ours = env_of(task, training=True)
    files = ('epoch_8.pth', 'yolox_tiny.py')
    result_writer.write_training_result(list(files), mAP=0.83, classAPs={'cat': 0.83})
    theirs = yaml.safe_load(ours.output.training_result_file.read_text())
    for name in files:
        task.write(f'out/models/{name}', '')
    stage = Stage('epoch_8', 8, files, mAP=0.83, mAR=0.7, tp=1, fp=2, fn=3, timestamp=4)
    TrainingResult(ours).write([stage], {})
    del theirs['class_aps']  # which the contract does not have
    assert yaml.safe_load(ours.output.training_result_file.read_text()) == theirs


@pytest.mark.parametrize('percent', [0, 0.256, 1.0])
def test_monitor_txt(task: TaskFolder, monkeypatch, percent):
    ours = env_of(task)
    monkeypatch.setattr(monitor, 'time', SimpleNamespace(time=lambda: 1663934682.25))
    monitor.write_monitor_logger(percent)
    theirs = task.monitor_file.read_text().split('\t')
    Monitor(ours.output.monitor_file, ours.task_id, clock=lambda: 1663934682.25).running(percent)
    written = task.monitor_file.read_text().split('\t')
    assert float(written.pop(1)) == float(theirs.pop(1))  # of which we write 6 decimals
    assert written == theirs
