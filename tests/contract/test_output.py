from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
import yaml

from executor.contract.env import read_env
from executor.contract.output import Monitor, Stage, TrainingResult, best_stage, replace_file
from tests.task_folder import TaskFolder, env_values

NOW = 1663934682.1234567


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- monitor.txt ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'percents, record',
    [
        ([0], b't1\t1663934682.123457\t0.00\t2\n'),
        ([0.25], b't1\t1663934682.123457\t0.25\t2\n'),
        ([1.0], b't1\t1663934682.123457\t1.00\t2\n'),
        ([0.1, 0.2, 0.3], b't1\t1663934682.123457\t0.30\t2\n'),  # one record, replaced
    ],
)
def test_running(tmp_path, percents, record):
    monitor = Monitor(tmp_path / 'monitor.txt', 't1', clock=lambda: NOW)
    for percent in percents:
        monitor.running(percent)
    assert (tmp_path / 'monitor.txt').read_bytes() == record
    assert names_in(tmp_path) == ['monitor.txt']


@pytest.mark.parametrize(
    'before, code, message, traceback, record',
    [
        (None, 160004, '', '', b't1\t1663934682.123457\t0.00\t4\t160004\t\n'),
        (None, 300001, 'no class', '', b't1\t1663934682.123457\t0.00\t4\t300001\tno class\n'),
        (0.5, 300001, 'no class', '', b't1\t1663934682.123457\t0.50\t4\t300001\tno class\n'),
        (1.0, 300001, 'no class', '', b't1\t1663934682.123457\t1.00\t4\t300001\tno class\n'),
        (
            0.25,
            300103,
            '  out of\tmemory:\n set samples_per_gpu lower\n',
            'Traceback:\n  File "a.py"\nRuntimeError\n',
            b't1\t1663934682.123457\t0.25\t4\t300103\tout of memory: set samples_per_gpu lower\n'
            b'Traceback:\n  File "a.py"\nRuntimeError\n',
        ),
        (0.0, 300002, 'Größe', 'é', 't1\t1663934682.123457\t0.00\t4\t300002\tGröße\né\n'.encode()),
    ],
)
def test_failed(tmp_path, before, code, message, traceback, record):
    monitor = Monitor(tmp_path / 'monitor.txt', 't1', clock=lambda: NOW)
    if before is not None:
        monitor.running(before)
    monitor.failed(code, message, traceback)
    assert (tmp_path / 'monitor.txt').read_bytes() == record
    assert names_in(tmp_path) == ['monitor.txt']


@pytest.mark.parametrize(
    'lines, kept', [(99, range(99)), (100, range(100)), (101, range(1, 101)), (500, range(400, 500))]
)
def test_a_traceback_keeps_its_last_hundred_lines(tmp_path, lines, kept):
    monitor = Monitor(tmp_path / 'monitor.txt', 't1', clock=lambda: NOW)
    monitor.failed(1, 'm', ''.join(f'line {n}\n' for n in range(lines)))
    assert (tmp_path / 'monitor.txt').read_text().split('\n') == [
        't1\t1663934682.123457\t0.00\t4\t1\tm',
        *(f'line {n}' for n in kept),
        '',
    ]


@pytest.mark.parametrize(
    'content, percent',
    [
        (b'', '0.00'),
        (b'torn', '0.00'),
        (b't1\t1\tx\t2\n', '0.00'),
        (b't1\t1\tnan\t2\n', '0.00'),
        (b't1\t1\t-3\t2\n', '0.00'),
        (b't1\t1\t7\t2\n', '1.00'),
        (b'\xff\xfe', '0.00'),
        (b't1\t1\t0.75\t2\n', '0.75'),  # the platform's own record, or that of another process of the task
    ],
)
def test_failed_keeps_the_percent_that_stands_in_the_file(tmp_path, content, percent):
    (tmp_path / 'monitor.txt').write_bytes(content)
    Monitor(tmp_path / 'monitor.txt', 't1', clock=lambda: NOW).failed(1, 'm', '')
    assert (tmp_path / 'monitor.txt').read_text() == f't1\t1663934682.123457\t{percent}\t4\t1\tm\n'


def test_a_message_that_cannot_be_encoded_is_still_told(tmp_path):
    """`"\\ud83d\\ude00"`, an emoji as JSON writes it, is read by YAML as two characters that UTF-8 does not have."""
    monitor = Monitor(tmp_path / 'monitor.txt', 't1', clock=lambda: NOW)
    monitor.failed(300001, 'found \ud83d\ude00', 'also \udcff')
    assert (tmp_path / 'monitor.txt').read_text().startswith('t1\t1663934682.123457\t0.00\t4\t300001\tfound ')
    assert names_in(tmp_path) == ['monitor.txt']


# --- replacing a file -----------------------------------------------------------------------------------------------


def test_a_first_version_makes_its_folder(tmp_path):
    replace_file(tmp_path / 'models' / 'a.yaml', 'ü\n')
    assert (tmp_path / 'models' / 'a.yaml').read_bytes() == b'\xc3\xbc\n'
    assert names_in(tmp_path / 'models') == ['a.yaml']


@pytest.mark.parametrize('mode', [0o600, 0o640, 0o666, 0o777])
def test_the_mode_is_kept(tmp_path, mode):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    path.chmod(mode)
    replace_file(path, 'new')
    assert path.read_text() == 'new'
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() != 0, reason='only root may give a file away')
def test_the_owner_is_kept(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    os.chown(path, 1234, 5678)
    replace_file(path, 'new')
    assert path.read_text() == 'new'
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


def test_an_owner_that_cannot_be_kept_is_no_error(tmp_path, monkeypatch):
    def refuse(*args: object) -> None:
        raise PermissionError

    path = tmp_path / 'a.txt'
    path.write_text('old')
    monkeypatch.setattr(os, 'chown', refuse)
    replace_file(path, 'new')
    assert path.read_text() == 'new'


def test_a_reader_finds_the_old_or_the_new_version(tmp_path, monkeypatch):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    seen = []

    def replace(source, target, real=os.replace):
        seen.append((path.read_text(), Path(source).read_text(), Path(source).parent, Path(target)))
        real(source, target)

    monkeypatch.setattr(os, 'replace', replace)
    replace_file(path, 'new')
    assert seen == [('old', 'new', tmp_path, path)]
    assert path.read_text() == 'new'


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EACCES])
def test_a_failure_leaves_the_old_version_and_nothing_beside(tmp_path, monkeypatch, number):
    def fail(source, target):
        raise OSError(number, os.strerror(number))

    path = tmp_path / 'a.txt'
    path.write_text('old')
    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError) as caught:
        replace_file(path, 'new')
    assert caught.value.errno == number
    assert path.read_text() == 'old'
    assert names_in(tmp_path) == ['a.txt']


def test_a_file_that_is_a_mount_is_written_in_place(tmp_path, monkeypatch):
    """The kernel's answer to renaming over a bind mount, also where both lie on one device."""

    def busy(source, target):
        raise OSError(errno.EBUSY, 'Device or resource busy')

    path = tmp_path / 'a.txt'
    path.write_text('old')
    monkeypatch.setattr(os, 'replace', busy)
    replace_file(path, 'new')
    assert path.read_text() == 'new'
    assert names_in(tmp_path) == ['a.txt']


# --- result.yaml ----------------------------------------------------------------------------------------------------


def stage(epoch: int, mAP: float = 0.5, files: tuple[str, ...] = (), **values: object) -> Stage:
    numbers = {'mAR': 0.71, 'tp': 900, 'fp': 120, 'fn': 230, 'timestamp': 1663934682, **values}
    return Stage(name=f'epoch_{epoch}', epoch=epoch, files=files, mAP=mAP, **numbers)


def save_files(result: TrainingResult, stages: list[Stage]) -> None:
    for one in stages:
        folder = result.stage_dir(one.name)
        folder.mkdir(parents=True, exist_ok=True)
        for name in one.files:
            (folder / name).write_text('')


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
        (None, PROTOCOL_0_TEXT, '.'),
        ('0.0', PROTOCOL_0_TEXT, '.'),
        ('1.0', PROTOCOL_1_TEXT, '.'),
        ('1.0.0', PROTOCOL_1_TEXT, '.'),
        ('1.1.0', PROTOCOL_1_TEXT, 'epoch_8'),
        ('2.0.0', PROTOCOL_1_TEXT, 'epoch_8'),
    ],
)
def test_result_as_the_protocol_wants_it(ymir_task: TaskFolder, protocol, text, folder):
    result = TrainingResult(ymir_task.env(protocol=protocol))
    best = stage(8, mAP=0.83, files=('epoch_8.pth', 'yolox_tiny.py'))
    assert result.stage_dir('epoch_8') == ymir_task.models_dir / folder
    save_files(result, [best])
    result.write([best], {'evaluation': ['report.html']})
    content = yaml.safe_load((ymir_task.models_dir / 'result.yaml').read_text())
    assert content == yaml.safe_load(text)
    assert list(content) == list(yaml.safe_load(text))
    assert [name for name in names_in(ymir_task.models_dir) if 'result' in name] == ['result.yaml']


@pytest.mark.parametrize(
    'attachments', [{}, {'evaluation': []}, {'evaluation': ('a.html', 'b.png'), 'curves': ['c.svg']}]
)
def test_attachments(ymir_task: TaskFolder, attachments):
    result = TrainingResult(ymir_task.env())
    result.write([stage(1)], attachments)
    content = yaml.safe_load((ymir_task.models_dir / 'result.yaml').read_text())
    expected = {section: list(files) for section, files in attachments.items()}
    assert content.get('attachments') == (expected or None)


@pytest.mark.parametrize('protocol', ['1.0', '1.1.0'])
def test_attachments_lie_below_the_models(ymir_task: TaskFolder, protocol):
    result = TrainingResult(ymir_task.env(protocol=protocol))
    assert result.attachments_dir('evaluation') == ymir_task.models_dir / 'attachments' / 'evaluation'


def test_result_lies_where_env_yaml_says(ymir_task: TaskFolder):
    values = env_values(ymir_task.root)
    values['output']['training_result_file'] = str(ymir_task.root / 'elsewhere' / 'model.yaml')
    result = TrainingResult(read_env(ymir_task.write('in/env.yaml', yaml.safe_dump(values))))
    result.write([stage(1)], {})
    assert names_in(ymir_task.root / 'elsewhere') == ['model.yaml']
    assert names_in(ymir_task.models_dir) == []


@pytest.mark.parametrize(
    'mAPs, best',
    [
        ([0.0], 1),
        ([0.1, 0.3, 0.2], 2),
        ([0.3, 0.1, 0.3, 0.2], 3),  # the latest of several best ones
        ([0.3, 0.3], 2),
        ([0.0, 0.0, 0.0], 3),
    ],
)
def test_the_best_stage(ymir_task: TaskFolder, mAPs, best):
    stages = [stage(n, mAP) for n, mAP in enumerate(mAPs, start=1)]
    assert best_stage(stages).name == f'epoch_{best}'
    assert best_stage(stages[::-1]).name == f'epoch_{best}'
    TrainingResult(ymir_task.env()).write(stages, {})
    content = yaml.safe_load((ymir_task.models_dir / 'result.yaml').read_text())
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
    content = yaml.safe_load((ymir_task.models_dir / 'result.yaml').read_text())
    assert list(content['model_stages']) == [f'epoch_{n}' for n in listed]
    assert len(content['model_stages']) <= 11
    assert content['best_stage_name'] == f'epoch_{best}'


@pytest.mark.parametrize('protocol', [None, '1.0', '1.1.0'])
def test_all_numbers_are_plain(ymir_task: TaskFolder, protocol):
    numpy = pytest.importorskip('numpy')
    one = stage(
        3,
        mAP=numpy.float32(0.25),
        mAR=numpy.float64(0.5),
        tp=numpy.int64(1),
        fp=numpy.int32(2),
        fn=numpy.float64(3.0),
        timestamp=numpy.float64(1663934682.9),
    )
    TrainingResult(ymir_task.env(protocol=protocol)).write([one], {})
    content = yaml.safe_load((ymir_task.models_dir / 'result.yaml').read_text())  # refuses Python objects
    if protocol is None:
        assert content == {'model': [], 'map': 0.25}
        return
    numbers = {'mAP': 0.25, 'mAR': 0.5, 'tp': 1, 'fp': 2, 'fn': 3, 'timestamp': 1663934682}
    assert content['mAP'] == 0.25
    assert content['model_stages']['epoch_3'] == {'stage_name': 'epoch_3', 'files': [], **numbers}
    found = content['model_stages']['epoch_3']
    assert {key: type(found[key]) for key in numbers} == {key: type(value) for key, value in numbers.items()}


@pytest.mark.parametrize(
    'protocol, lost', [(None, 'epoch_2.pth'), ('1.0', 'epoch_2.pth'), ('1.1.0', os.path.join('epoch_2', 'epoch_2.pth'))]
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
    stages = [stage(n, mAP=0.1 * n, files=(f'epoch_{n}.pth',)) for n in range(1, 10)] + [
        stage(n) for n in range(10, 13)
    ]
    save_files(result, stages[2:])
    result.write(stages, {})
    content = yaml.safe_load((ymir_task.models_dir / 'result.yaml').read_text())
    assert list(content['model_stages'])[0] == 'epoch_3'


def test_clear_forgets_an_earlier_run(ymir_task: TaskFolder):
    result = TrainingResult(ymir_task.env())
    save_files(result, [stage(1, files=('a.pth',)), stage(2, files=('b.pth',))])
    result.write([stage(1, files=('a.pth',))], {})
    for name in ('epoch_3.pth', 'kept.txt'):
        (ymir_task.models_dir / name).write_text('')
    result.clear()
    assert names_in(ymir_task.models_dir) == ['kept.txt']


def test_clear_of_nothing(ymir_task: TaskFolder):
    env = ymir_task.env()
    env.output.models_dir.rmdir()
    TrainingResult(env).clear()
    assert not env.output.models_dir.exists()
