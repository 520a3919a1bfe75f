from __future__ import annotations

import shutil

import pytest
import yaml

from demo.task_folder import env_values
from executor.contract.env import read_env
from executor.contract.output.training_result import Stage, TrainingResult, best_stage
from tests.support.task_folder import TaskFolder, names_in


def stage(epoch: int, mAP: float = 0.5, files: tuple[str, ...] = (), **values: object) -> Stage:
    numbers = {'mAR': 0.71, 'tp': 900, 'fp': 120, 'fn': 230, 'timestamp': 1663934682, **values}
    return Stage(name=f'epoch_{epoch}', epoch=epoch, files=files, mAP=mAP, **numbers)


def save_files(result: TrainingResult, stages: list[Stage]) -> None:
    for one in stages:
        folder = result.stage_dir(one.name)
        folder.mkdir(parents=True, exist_ok=True)
        for name in one.files:
            (folder / name).write_text('')


def written(task: TaskFolder) -> dict:
    return yaml.safe_load((task.models_dir / 'result.yaml').read_text())  # which refuses Python objects


# The platform's own example.
PROTOCOL_1_TEXT = """\
best_stage_name: epoch_8
mAP: 0.83
model_stages:
  epoch_8: {stage_name: epoch_8, files: [epoch_8.pth, yolox_tiny.py], mAP: 0.83, mAR: 0.71,
            tp: 900, fp: 120, fn: 230, timestamp: 1663934682}
evaluate_config: {iou_thr: 0.5, conf_thr: 0.005}
attachments: {evaluation: [report.html]}
"""
PROTOCOL_0_TEXT = '{model: [epoch_8.pth, yolox_tiny.py], map: 0.83}'


@pytest.mark.parametrize(
    'protocol, text, folder',
    [
        *((protocol, PROTOCOL_0_TEXT, '.') for protocol in (None, '0.0')),
        *((protocol, PROTOCOL_1_TEXT, '.') for protocol in ('1.0', '1.0.0')),
        *((protocol, PROTOCOL_1_TEXT, 'epoch_8') for protocol in ('1.1.0', '2.0.0')),
    ],
)
def test_result_as_the_protocol_wants_it(ymir_task: TaskFolder, protocol, text, folder):
    result = TrainingResult(ymir_task.env(protocol=protocol))
    best = stage(8, mAP=0.83, files=('epoch_8.pth', 'yolox_tiny.py'))
    assert result.stage_dir('epoch_8') == ymir_task.models_dir / folder
    assert result.attachments_dir('evaluation') == ymir_task.models_dir / 'attachments' / 'evaluation'
    save_files(result, [best])
    result.write([best], {'evaluation': ['report.html']})
    content = written(ymir_task)
    assert content == yaml.safe_load(text)
    assert list(content) == list(yaml.safe_load(text))
    assert [name for name in names_in(ymir_task.models_dir) if 'result' in name] == ['result.yaml']


@pytest.mark.parametrize(
    'attachments', [{}, {'evaluation': []}, {'evaluation': ('a.html', 'b.png'), 'curves': ['c.svg']}]
)
def test_attachments(ymir_task: TaskFolder, attachments):
    result = TrainingResult(ymir_task.env())
    result.write([stage(1)], attachments)
    expected = {section: list(files) for section, files in attachments.items()}
    assert written(ymir_task).get('attachments') == (expected or None)


def test_result_lies_where_env_yaml_says(ymir_task: TaskFolder):
    values = env_values(ymir_task.root)
    values['output']['training_result_file'] = str(ymir_task.root / 'elsewhere' / 'model.yaml')
    result = TrainingResult(read_env(ymir_task.write('in/env.yaml', yaml.safe_dump(values))))
    result.write([stage(1)], {})
    assert names_in(ymir_task.root / 'elsewhere') == ['model.yaml']
    assert names_in(ymir_task.models_dir) == []


@pytest.mark.parametrize(
    'mAPs, best',  # the latest of several best ones
    [([0.0], 1), ([0.1, 0.3, 0.2], 2), ([0.3, 0.1, 0.3, 0.2], 3), ([0.3, 0.3], 2), ([0.0, 0.0, 0.0], 3)],
)
def test_the_best_stage(ymir_task: TaskFolder, mAPs, best):
    stages = [stage(n, mAP) for n, mAP in enumerate(mAPs, start=1)]
    assert best_stage(stages).name == f'epoch_{best}'
    assert best_stage(stages[::-1]).name == f'epoch_{best}'
    TrainingResult(ymir_task.env()).write(stages, {})
    content = written(ymir_task)
    assert (content['best_stage_name'], content['mAP']) == (f'epoch_{best}', max(mAPs))


@pytest.mark.parametrize(
    'count, best, listed',
    [
        (1, 1, [1]),
        (10, 1, range(1, 11)),
        (11, 1, range(1, 12)),
        (11, 5, range(2, 12)),
        (12, 1, [1, *range(3, 13)]),
        (12, 2, [2, *range(3, 13)]),
        (12, 12, range(3, 13)),
        (300, 150, [150, *range(291, 301)]),
    ],
)
def test_the_best_and_the_ten_latest_are_listed(ymir_task: TaskFolder, count, best, listed):
    stages = [stage(n, mAP=0.9 if n == best else 0.5) for n in range(1, count + 1)]
    TrainingResult(ymir_task.env()).write(stages, {})
    content = written(ymir_task)
    assert list(content['model_stages']) == [f'epoch_{n}' for n in listed]
    assert content['best_stage_name'] == f'epoch_{best}'


@pytest.mark.parametrize('protocol', [None, '1.0', '1.1.0'])
def test_all_numbers_are_plain(ymir_task: TaskFolder, protocol):
    numpy = pytest.importorskip('numpy')
    means = {'mAP': numpy.float32(0.25), 'mAR': numpy.float64(0.5)}
    counts = {'tp': numpy.int64(1), 'fp': numpy.int32(2), 'fn': numpy.float64(3.0)}
    one = stage(3, timestamp=numpy.float64(1663934682.9), **means, **counts)
    TrainingResult(ymir_task.env(protocol=protocol)).write([one], {})
    content = written(ymir_task)
    if protocol is None:
        assert content == {'model': [], 'map': 0.25}
        return
    numbers = {'mAP': 0.25, 'mAR': 0.5, 'tp': 1, 'fp': 2, 'fn': 3, 'timestamp': 1663934682}
    found = content['model_stages']['epoch_3']
    assert content['mAP'] == 0.25
    assert found == {'stage_name': 'epoch_3', 'files': [], **numbers}
    assert {key: type(found[key]) for key in numbers} == {key: type(value) for key, value in numbers.items()}


@pytest.mark.parametrize(
    'protocol, lost', [(None, 'epoch_2.pth'), ('1.0', 'epoch_2.pth'), ('1.1.0', 'epoch_2/epoch_2.pth')]
)
def test_a_file_that_does_not_exist_is_never_listed(ymir_task: TaskFolder, protocol, lost):
    result = TrainingResult(ymir_task.env(protocol=protocol))
    stages = [stage(n, files=(f'epoch_{n}.pth',)) for n in (1, 2)]
    save_files(result, stages)
    result.write(stages, {})
    before = (ymir_task.models_dir / 'result.yaml').read_text()
    (ymir_task.models_dir / lost).unlink()
    with pytest.raises(AssertionError, match='epoch_2.pth'):
        result.write(stages, {})
    assert (ymir_task.models_dir / 'result.yaml').read_text() == before


def test_the_files_of_a_stage_no_longer_listed_may_be_gone(ymir_task: TaskFolder):
    result = TrainingResult(ymir_task.env())
    stages = [stage(n, mAP=0.01 * n, files=(f'epoch_{n}.pth',)) for n in range(1, 13)]
    save_files(result, stages[2:])
    result.write(stages, {})
    assert list(written(ymir_task)['model_stages'])[0] == 'epoch_3'


def test_clear_forgets_an_earlier_run(ymir_task: TaskFolder):
    result = TrainingResult(ymir_task.env())
    save_files(result, [stage(1, files=('a.pth',)), stage(2, files=('b.pth',))])
    result.write([stage(1, files=('a.pth',))], {})
    for name in ('epoch_3.pth', 'kept.txt'):
        (ymir_task.models_dir / name).write_text('')
    result.clear()
    assert names_in(ymir_task.models_dir) == ['kept.txt']
    shutil.rmtree(ymir_task.models_dir)
    result.clear()
    assert not ymir_task.models_dir.exists()
