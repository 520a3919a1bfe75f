from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
import yaml

from desk.task_folder import env_values
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


# --- what a run removes of an earlier one ---------------------------------------------------------------------------


@pytest.mark.parametrize('protocol', [None, '1.0', '1.1.0'])
def test_clear_removes_what_trainings_made_and_nothing_else(ymir_task: TaskFolder, protocol):
    """Listed or not, as after a kill; a name of a stage alone makes nothing ours."""
    result = TrainingResult(ymir_task.env(protocol=protocol))
    stages = [stage(1, files=('a.pth', 'a.py')), stage(2, files=('b.pth', 'a.py'))]
    picture = result.attachments_dir('evaluation') / 'a.jpg'
    made = [result.stage_dir(one.name) / name for one in stages for name in one.files]
    result.made.add([*made, picture, result.stage_dir('epoch_3') / 'c.pth'])
    save_files(result, stages)
    ymir_task.write('out/models/attachments/evaluation/a.jpg', '')
    ymir_task.write('out/models/attachments/notes.txt', "the user's")
    (result.stage_dir('epoch_2') / '.b.pth.77').write_text('left by a kill')
    result.write(stages[:1], {'evaluation': ['a.jpg']})
    kept = ['attachments/notes.txt', 'epoch_1.txt', 'epoch_9/epoch_9.pth', 'epoch_backup/a.pth', 'kept.txt']
    for name in kept:
        ymir_task.write(f'out/models/{name}', "the user's")
    result.clear()
    assert files_in(ymir_task.models_dir) == kept
    assert result.made.all() == []
    assert not (ymir_task.models_dir / 'epoch_1').exists()
    shutil.rmtree(ymir_task.models_dir)
    result.clear()
    assert not ymir_task.models_dir.exists()


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if not path.is_dir())


@pytest.mark.parametrize('protocol', [None, '1.0', '1.1.0'])
def test_of_a_run_that_kept_no_account_what_it_listed_is_removed(ymir_task: TaskFolder, protocol):
    result = TrainingResult(ymir_task.env(protocol=protocol))
    stages = [stage(1, mAP=0.9, files=('a.pth', 'a.py')), stage(2, files=('b.pth',))]
    save_files(result, stages)
    ymir_task.write('out/models/attachments/evaluation/a.jpg', '')
    ymir_task.write('out/models/attachments/evaluation/b.jpg', "the user's")
    result.write(stages[:1], {'evaluation': ['a.jpg']})
    result.clear()
    unlisted = 'epoch_2/b.pth' if protocol == '1.1.0' else 'b.pth'
    # Before protocol 1, result.yaml lists no attachments.
    left = ['attachments/evaluation/a.jpg'] if protocol is None else []
    assert files_in(ymir_task.models_dir) == [*left, 'attachments/evaluation/b.jpg', unlisted]


@pytest.mark.parametrize(
    'text',
    [
        'model_stages: {..: {files: [in.txt]}}',
        'model_stages: {../..: {files: [in.txt]}, epoch_1/../..: {files: [in.txt]}, epoch_01: {files: [in.txt]}}',
        'model_stages: {epoch_1: {files: [../../in.txt, /in.txt, .., ., "", 7, null, [in.txt], "in.txt\\0"]}}',
        'model: [../in.txt, ..]',
        'attachments: {..: [in.txt], ../..: [in.txt]}',
        'model_stages: {epoch_1: [files]}\nmodel: 7\nattachments: [a]',
        '[1, 2]',
        'a: [',
        '!!python/object/apply:os.system [exit]',
        '[' * 5000,
        '\x00',
    ],
)
def test_a_result_yaml_that_is_not_ours_takes_nothing_with_it(ymir_task: TaskFolder, text):
    for name in ('in.txt', 'out/in.txt', 'out/models/epoch_1/in.txt', 'out/models/epoch_01/in.txt'):
        ymir_task.write(name, "the user's")
    ymir_task.write('out/models/result.yaml', text)
    before = [name for name in files_in(ymir_task.root) if name != 'out/models/result.yaml']
    TrainingResult(ymir_task.env()).clear()
    env = ['in/env.yaml']
    assert [name for name in files_in(ymir_task.root) if 'made.json' not in name and name not in env] == [
        name for name in before if name not in env
    ]


def test_nothing_is_removed_through_a_link_or_outside_of_the_models(ymir_task: TaskFolder):
    result = TrainingResult(ymir_task.env())
    elsewhere = ymir_task.root / 'elsewhere'
    for name in ('elsewhere/a.pth', 'elsewhere/.a.pth.7', 'in/a.pth', 'out/a.pth'):
        ymir_task.write(name, "the user's")
    (ymir_task.models_dir / 'epoch_1').symlink_to(elsewhere)
    (ymir_task.models_dir / 'epoch_2').mkdir()
    (ymir_task.models_dir / 'epoch_2' / 'a.pth').symlink_to(elsewhere / 'a.pth')
    (ymir_task.models_dir / 'epoch_3' / 'a.pth').mkdir(parents=True)
    names = ['epoch_1/a.pth', 'epoch_2/a.pth', 'epoch_3/a.pth', '../a.pth', '../../in/a.pth', 'epoch_9/../../a.pth']
    result.made.add(ymir_task.models_dir / name for name in names)
    result.clear()
    assert names_in(elsewhere) == ['.a.pth.7', 'a.pth']
    assert names_in(ymir_task.models_dir) == ['epoch_1', 'epoch_2', 'epoch_3']
    assert (ymir_task.root / 'in/a.pth').is_file() and (ymir_task.root / 'out/a.pth').is_file()


@pytest.mark.parametrize('text', ['{', '7', '{"models/a.pth": 1}', '[7, null, ["models/a.pth"]]', '[' * 5000])
def test_an_account_that_cannot_be_read_takes_nothing_with_it(ymir_task: TaskFolder, text):
    ymir_task.write('out/training/made.json', text)
    ymir_task.write('out/models/a.pth', "the user's")
    result = TrainingResult(ymir_task.env())
    result.clear()
    assert names_in(ymir_task.models_dir) == ['a.pth']
    result.made.add([ymir_task.models_dir / 'a.pth'])
    result.clear()
    assert names_in(ymir_task.models_dir) == []


def test_no_pipe_is_waited_for(ymir_task: TaskFolder):
    (ymir_task.root / 'out/training').mkdir()
    for name in ('models/result.yaml', 'training/made.json'):
        os.mkfifo(ymir_task.root / 'out' / name)
    result = TrainingResult(ymir_task.env())
    result.clear()
    result.made.add([ymir_task.models_dir / 'a.pth'])
    assert result.made.all() == [ymir_task.root / 'out/models/a.pth']


def test_only_curves_that_this_process_began_are_ours(ymir_task: TaskFolder):
    result = TrainingResult(ymir_task.env())
    host, pid = socket.gethostname(), os.getpid()
    ours = f'events.out.tfevents.1795651921.{host}.{pid}.0'
    others = [f'events.out.tfevents.1795651921.{host}.{pid}7.0', f'events.out.tfevents.1795651921.x{host}.{pid}.0']
    for name in (ours, *others):
        ymir_task.write(f'out/tensorboard/{name}', '')
    result.clear()
    assert names_in(ymir_task.root / 'out/tensorboard') == sorted([ours, *others])
    result.adopt_curves()
    result.clear()
    assert names_in(ymir_task.root / 'out/tensorboard') == sorted(others)
    assert (ymir_task.root / 'out/tensorboard').is_dir()


@pytest.mark.parametrize(
    'validated, best', [((True, False), 1), ((False, True), 2), ((False, False), 2), ((True, True), 2)]
)
def test_a_stage_that_is_not_validated_is_the_best_of_its_kind_only(validated, best):
    stages = [stage(n, mAP=0.0, validated=known) for n, known in enumerate(validated, start=1)]
    assert best_stage(stages).epoch == best
