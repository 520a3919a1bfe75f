"""A hundred corruptions of each text that is read: it is still read, or a failure with a code, never anything else."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Callable, Iterator, List, NamedTuple

import pytest

from demo import shapes
from executor.contract.annotations import read_records
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.errors import ExecutorError
from executor.contract.failure import failure_of
from executor.contract.index import read_candidate_index, read_training_index
from tests.failures.task import INFERENCE, MINING, TRAINING, Change, Task, annotated_in_coco, annotated_in_voc

_COUNT = 100
_ROOT = b'/root-of-the-task'
_SOUND_VOC = '<annotation>\n  <object>\n    <name>circle</name>\n    <difficult>0</difficult>\n    <bndbox>\n'
_VOC_BOX = ''.join(
    f'      <{side}>{value}</{side}>\n' for side, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), (1, 2, 30, 40))
)


class Text(NamedTuple):
    """A file of a task of some kind, and what reads it."""

    name: str
    kind: str
    prepare: Change
    read: Callable[[Task], Any]


def _nothing(task: Task) -> None:
    pass


def _env(task: Task) -> Any:
    return read_env(task.env_file)


def _job(task: Task) -> Any:
    return read_job(_env(task))


def _training_index(task: Task) -> Any:
    return read_training_index(_env(task).input.training_index_file)


def _candidate_index(task: Task) -> Any:
    return list(read_candidate_index(_env(task).input.candidate_index_file))


def _records(task: Task) -> Any:
    job = _job(task)
    return read_records(_training_index(task), job.training.export_format, job.training.class_names)


TEXTS = {
    'env.yaml': Text('in/env.yaml', TRAINING, _nothing, _env),
    'config.yaml of training': Text('in/config.yaml', TRAINING, _nothing, _job),
    'config.yaml of inference': Text('in/config.yaml', INFERENCE, _nothing, _job),
    'config.yaml of mining': Text('in/config.yaml', MINING, _nothing, _job),
    'training index': Text('in/train-index.tsv', TRAINING, _nothing, _training_index),
    'candidate index': Text('in/candidate-index.tsv', INFERENCE, _nothing, _candidate_index),
    'ark': Text('in/annotations/train-1.txt', TRAINING, _nothing, _records),
    'voc': Text(
        'in/annotations/train-1.xml',
        TRAINING,
        annotated_in_voc(f'{_SOUND_VOC}{_VOC_BOX}    </bndbox>\n  </object>\n</annotation>\n'),
        _records,
    ),
    'coco': Text('in/annotations/coco-annotations.json', TRAINING, annotated_in_coco(lambda data: None), _records),
}


def byte_corruptions(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """One byte replaced, taken out or put in, without end."""
    while True:
        place, byte = rng.randrange(len(data)), bytes([rng.randrange(256)])
        before, after = data[:place], data[place:]
        yield rng.choice([before + byte + after[1:], before + after[1:], before + byte + after])


def line_corruptions(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """One line emptied, doubled, cut off, moved, or replaced by something that is often wrong, without end."""
    lines = data.split(b'\n')
    strange = [b'', b'\t', b'- ', b'{', b']', b': :', b'!!python/name:os.system', b'*', b'\xef\xbb\xbf', b'0' * 5000]
    strange += [b'nan', b'1e999', b'\xff\xfe', b'%', b'<', b'&e;', b'"', b'\x00', b'x' * 70000, '１２ ²'.encode()]
    while True:
        number = rng.randrange(len(lines))
        changed: List[bytes] = list(lines)
        line = changed.pop(number)
        cut = rng.randrange(len(line) + 1)
        odd = rng.choice(strange)
        kept = rng.choice([[], [line, line], [line[:cut]], [line[cut:]], [odd], [line[:cut] + odd + line[cut:]]])
        at = rng.choice([number, number, number, rng.randrange(len(lines))])
        yield b'\n'.join([*changed[:at], *kept, *changed[at:]])


@pytest.mark.parametrize('corruptions', [byte_corruptions, line_corruptions])
@pytest.mark.parametrize('text', TEXTS)
def test_a_corrupted_text_is_read_or_told(text: str, corruptions: Any, tmp_path: Path) -> None:
    name, kind, prepare, read = TEXTS[text]
    task = Task(tmp_path, kind)
    prepare(task)
    read(task)  # as long as it is sound
    root = str(tmp_path).encode()  # of another length each time
    sound = task.path(name).read_bytes().replace(root, _ROOT)
    stream = corruptions(sound, random.Random(f'{text} {corruptions.__name__}'))
    wrong = [
        f'{failure_of(error).message[:200]}, in {corrupted[:3000]!r}'
        for corrupted in (next(stream).replace(_ROOT, root) for _ in range(_COUNT))
        for error in _unexpected(task, name, corrupted, read)
    ]
    assert not wrong, f'{len(wrong)} of {_COUNT} are not told:\n' + '\n'.join(sorted(wrong, key=len)[:5])


def _unexpected(task: Task, name: str, corrupted: bytes, read: Callable[[Task], Any]) -> List[Exception]:
    """What is raised beside an error with a code, whose message is one of substance."""
    task.write(name, corrupted)
    try:
        read(task)
    except ExecutorError as error:
        return [] if 20 < len(failure_of(error).message) <= 2000 else [error]
    except Exception as error:
        return [error]
    return []


def test_corruptions_are_the_same_each_time() -> None:
    data = '\n'.join(shapes.CLASS_NAMES).encode()
    for corruptions in (byte_corruptions, line_corruptions):
        first, again = (corruptions(data, random.Random(1)) for _ in range(2))
        assert [next(first) for _ in range(20)] == [next(again) for _ in range(20)]
