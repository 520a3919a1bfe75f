from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from executor.contract.env import Env
from executor.contract.index import read_candidate_index
from executor.contract.output.candidates import (
    clear_candidate_results,
    infer_line,
    score_text,
    write_infer_result,
    write_mining_result,
)
from executor.contract.output.parts import INFER, MINING, PartWriter, parts_dir, read_parts
from executor.contract.output.result_keys import ResultKeys
from tests.support.peak_memory import REPOSITORY, peak_memory
from tests.support.task_folder import TaskFolder, names_in

CAT = ('cat', 0.8, (30, 40, 50, 60))
CAT_CONTENT = {'class_name': 'cat', 'score': 0.8, 'box': {'x': 30, 'y': 40, 'w': 50, 'h': 60}}


def numbered(lines: list[str]) -> list[tuple[int, str]]:
    return list(enumerate(lines))


def no_constants(name: str) -> None:
    raise AssertionError(f'{name} is not JSON')


# --- the boxes of an image ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'boxes, expected',
    [
        ([], '[]'),
        (
            [CAT],
            '[{"class_name": "cat", "score": 0.8, "box": {"x": 30, "y": 40, "w": 50, "h": 60}}]',
        ),
        (
            [('größer "als" 日本', 1, (0, 0, 1, 1)), ('a\nb\t', 0.0, (7, 8, 1, 2))],
            '[{"class_name": "größer \\"als\\" 日本", "score": 1.0, "box": {"x": 0, "y": 0, "w": 1, "h": 1}}, '
            '{"class_name": "a\\nb\\t", "score": 0.0, "box": {"x": 7, "y": 8, "w": 1, "h": 2}}]',
        ),
    ],
)
def test_boxes_as_a_line(boxes, expected):
    assert infer_line(boxes) == expected
    assert infer_line(iter(boxes)) == expected


@pytest.mark.parametrize(
    'score, expected',
    [(0.12345649, '0.123456'), (0.1234565001, '0.123457'), (2 / 3, '0.666667'), (1e-5, '1e-05'), (1e-9, '0.0')],
)
def test_scores_are_rounded(score, expected):
    assert f'"score": {expected},' in infer_line([('cat', score, (0, 0, 1, 1))])


def test_a_score_of_numpy_is_written_plain():
    numpy = pytest.importorskip('numpy')
    assert json.loads(infer_line([('cat', numpy.float32(0.8), (30, 40, 50, 60))])) == [CAT_CONTENT]


@pytest.mark.parametrize(
    'box', [(-1, 0, 1, 1), (0, -1, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0), (0.0, 0, 1, 1), (0, 0, True, 1), (0, 0, 1)]
)
def test_a_box_that_the_platform_would_reject(box):
    with pytest.raises((AssertionError, ValueError)):
        infer_line([CAT, ('cat', 0.5, box)])


def test_integers_of_numpy_are_our_bug():
    numpy = pytest.importorskip('numpy')
    with pytest.raises(AssertionError, match='plain integers'):
        infer_line([('cat', 0.5, tuple(numpy.array([1, 2, 3, 4])))])


@pytest.mark.parametrize('score', [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number(score):
    with pytest.raises(AssertionError, match='a score of'):
        infer_line([('cat', score, (0, 0, 1, 1))])
    with pytest.raises(AssertionError, match='a score of'):
        score_text(score)


# --- infer-result.json ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'protocol, boxes', [(None, 'annotations'), ('0.0', 'annotations'), ('1.0', 'boxes'), ('1.1.0', 'boxes')]
)
def test_boxes_as_the_protocol_wants_them(ymir_task: TaskFolder, protocol, boxes):
    env = ymir_task.env('infer', protocol=protocol)
    keys = ResultKeys(['/in/assets/0a/a.jpg', '/in/assets/0b/b'])
    write_infer_result(env, keys, numbered([infer_line([CAT]), infer_line([])]))
    content = json.loads((ymir_task.root / 'out' / 'infer-result.json').read_text())
    assert content == {'detection': {'a.jpg': {boxes: [CAT_CONTENT]}, 'b': {boxes: []}}}
    assert names_in(ymir_task.root / 'out') == ['infer-result.json', 'models', 'tensorboard']


def test_the_file_is_json_with_a_line_an_image(ymir_task: TaskFolder):
    env = ymir_task.env('infer')
    write_infer_result(env, ResultKeys(['A/ä "1".jpg', 'A/b c.jpg']), numbered(['[]', '[]']))
    assert env.output.infer_result_file.read_text(encoding='utf-8') == (
        '{"detection": {\n"ä \\"1\\".jpg": {"boxes": []},\n"b c.jpg": {"boxes": []}\n}}\n'
    )


def test_each_key_is_written_once(ymir_task: TaskFolder):
    env = ymir_task.env('infer')
    paths = ['A/x.jpg', 'B/x.jpg', 'A/x.jpg', 'A/y.jpg', 'B/x.jpg', 'y.jpg']
    lines = [infer_line([('cat', 0.5, (position, 0, 1, 1))]) for position in range(len(paths))]
    write_infer_result(env, ResultKeys(paths), numbered(lines))

    pairs = json.loads(env.output.infer_result_file.read_text(), object_pairs_hook=list)
    assert [(key, value[0][1][0][2][1][0][1]) for key, value in pairs[0][1]] == [
        ('x.jpg', 0),
        ('B/x.jpg', 1),
        ('y.jpg', 3),
    ]


@pytest.mark.parametrize('paths', [['A/x.jpg', 'A/x.jpg'], ['A/x.jpg']])
def test_commas_stand_between_entries_only(ymir_task: TaskFolder, paths):
    env = ymir_task.env('infer')
    write_infer_result(env, ResultKeys(paths), numbered(['[]'] * len(paths)))
    assert json.loads(env.output.infer_result_file.read_text()) == {'detection': {'x.jpg': {'boxes': []}}}


def test_a_class_name_that_utf8_does_not_have(ymir_task: TaskFolder):
    """YAML reads `"\\ud83d\\ude00"` as two surrogates; as JSON's own escapes they mean the emoji again."""
    env = ymir_task.env('infer')
    with PartWriter(parts_dir(env), INFER, 0) as part:
        part.write(0, infer_line([('\ud83d\ude00', 0.5, (0, 0, 1, 1))]))
    write_infer_result(env, ResultKeys(['A/x.jpg']), read_parts(parts_dir(env), INFER, 1, 1))
    content = json.loads(env.output.infer_result_file.read_text(encoding='utf-8'))
    assert content['detection']['x.jpg']['boxes'][0]['class_name'] == '😀'


# --- result.tsv -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'scores, expected',
    [
        ([0.5], 'a 0.5'),
        ([0.5, 0.25, 0.75], 'c 0.75, a 0.5, b 0.25'),
        ([-10, 3, -0.5], 'b 3.0, c -0.5, a -10.0'),
        ([0.5, 0.5, 0.75, 0.5], 'c 0.75, a 0.5, b 0.5, d 0.5'),  # ties keep index order
        ([0.0, -0.0, 0.0], 'a 0.0, b 0.0, c 0.0'),
        ([0.1 + 0.2, 0.3], 'a 0.30000000000000004, b 0.3'),  # as close as doubles come
        ([0.3, 0.1 + 0.2], 'b 0.30000000000000004, a 0.3'),
        ([1e-300, 1e300, 1e-5], 'b 1e+300, c 1e-05, a 1e-300'),
    ],
)
def test_candidates_by_descending_score(ymir_task: TaskFolder, scores, expected):
    env = ymir_task.env('mining')
    write_mining_result(env, 'abcd'[: len(scores)], numbered([score_text(score) for score in scores]))
    lines = (ymir_task.root / 'out' / 'result.tsv').read_text()
    assert lines == ''.join(line.replace(' ', '\t') + '\n' for line in expected.split(', '))
    assert names_in(ymir_task.root / 'out') == ['models', 'result.tsv', 'tensorboard']


def test_float32_scores_keep_their_order(ymir_task: TaskFolder):
    numpy = pytest.importorskip('numpy')
    one = numpy.float32(1)
    scores = [one, numpy.nextafter(one, numpy.float32(2)), numpy.nextafter(one, numpy.float32(0))]
    env = ymir_task.env('mining')
    write_mining_result(env, 'abc', numbered([score_text(score) for score in scores]))
    rows = [line.split('\t') for line in env.output.mining_result_file.read_text().splitlines()]
    assert [path for path, _ in rows] == ['b', 'a', 'c']
    assert [numpy.float32(text) for _, text in rows] == [scores[1], scores[0], scores[2]]


def test_paths_stand_exactly_as_in_the_index(ymir_task: TaskFolder):
    env = ymir_task.env('mining')
    paths = ['/in/ä b.jpg', ' /in/c ', '/in/ä b.jpg', '/in/😀']  # with one that is listed twice
    index_file = env.input.candidate_index_file
    index_file.write_bytes('\r\n'.join(f'{path}\tmore' for path in paths).encode())
    write_mining_result(env, read_candidate_index(index_file), numbered(['0.25', '0.5', '1.0', '2']))
    assert env.output.mining_result_file.read_bytes().decode() == (
        '/in/😀\t2.0\n/in/ä b.jpg\t1.0\n /in/c \t0.5\n/in/ä b.jpg\t0.25\n'
    )


# --- whole or not at all --------------------------------------------------------------------------------------------


def write_both(env: Env, paths: list[str], results: list[tuple[int, str]]) -> None:
    failures = 0
    for write, listed in ((write_infer_result, ResultKeys(paths)), (write_mining_result, paths)):
        try:
            write(env, listed, iter(results))
        except AssertionError:
            failures += 1
    assert failures in (0, 2)
    if failures:
        raise AssertionError


@pytest.mark.parametrize('old', [None, 'old'])
@pytest.mark.parametrize('positions', [[], [0], [0, 1], [0, 2], [0, 1, 1], [0, 0, 1], [1, 0, 2], [0, 1, 2, 3]])
def test_a_position_missing_doubled_or_misplaced_leaves_the_old_file(ymir_task: TaskFolder, positions, old):
    env = ymir_task.env('infer', 'mining')
    files = (env.output.infer_result_file, env.output.mining_result_file)
    for file in files if old else ():
        file.write_text(old)
    with pytest.raises(AssertionError):
        write_both(env, ['a', 'b', 'c'], [(position, '1') for position in positions])
    assert [file.read_text() if file.exists() else None for file in files] == [old, old]
    assert len(names_in(ymir_task.root / 'out')) == (4 if old else 2)


@pytest.mark.parametrize('score', ['nan', 'inf', '-inf'])
def test_a_score_that_cannot_be_ranked_leaves_no_file(ymir_task: TaskFolder, score):
    env = ymir_task.env('mining')
    with pytest.raises(AssertionError, match='a score of'):
        write_mining_result(env, 'abc', numbered(['0.5', score, '0.25']))
    assert names_in(ymir_task.root / 'out') == ['models', 'tensorboard']


KILL_ITSELF = """
import os, signal, sys
from pathlib import Path
from executor.contract.env import read_env
from executor.contract.output.candidates import write_infer_result
from executor.contract.output.result_keys import ResultKeys

def results():
    for position in range(50000):
        yield position, '[]'
    os.kill(os.getpid(), signal.SIGKILL)

write_infer_result(read_env(Path(sys.argv[1])), ResultKeys([f'/in/{i}.jpg' for i in range(100000)]), results())
"""


@pytest.mark.parametrize('old', [None, 'old'])
def test_a_kill_in_the_middle(ymir_task: TaskFolder, old):
    env = ymir_task.env('infer')
    if old:
        env.output.infer_result_file.write_text(old)
    command = [sys.executable, '-c', KILL_ITSELF, str(ymir_task.root / 'in' / 'env.yaml')]
    assert subprocess.run(command, cwd=REPOSITORY, timeout=60).returncode == -signal.SIGKILL
    assert (env.output.infer_result_file.read_text() if env.output.infer_result_file.exists() else None) == old

    assert any(name.startswith('.infer-result.json.') for name in names_in(ymir_task.root / 'out'))
    clear_candidate_results(env)
    assert names_in(ymir_task.root / 'out') == ['models', 'tensorboard']


@pytest.mark.parametrize(
    'tasks, left',
    [
        (['infer'], ['result.tsv']),
        (['mining'], ['infer-result.json']),
        (['infer', 'mining'], []),
    ],
)
def test_clear_forgets_an_earlier_run_of_the_same_task(ymir_task: TaskFolder, tasks, left):
    env = ymir_task.env(*tasks)
    clear_candidate_results(env)  # nothing there
    for name in ('infer-result.json', 'result.tsv'):
        (ymir_task.root / 'out' / name).write_text('old')
    PartWriter(parts_dir(env), INFER, 5).close()
    clear_candidate_results(env)
    assert names_in(ymir_task.root / 'out') == sorted(['models', 'tensorboard', *left])


# --- from the ranks' parts to the files -----------------------------------------------------------------------------


@pytest.mark.parametrize('world_size', [1, 2, 3, 4, 7])
def test_ten_candidates_on_any_number_of_ranks(ymir_task: TaskFolder, world_size):
    env = ymir_task.env('infer', 'mining')
    folder = parts_dir(env)
    paths = [f'/in/{position}.jpg' for position in range(10)]
    scores = [0.3, 0.9, 0.1, 0.3, 0.5, 0.3, 0.0, 0.8, 0.2, 0.3]
    for rank in range(world_size):
        with PartWriter(folder, INFER, rank) as boxes, PartWriter(folder, MINING, rank) as ranking:
            for position in range(rank, 10, world_size):
                boxes.write(position, infer_line([('cat', 0.5, (position, 0, 1, 1))]))
                ranking.write(position, score_text(scores[position]))
    write_infer_result(env, ResultKeys(paths), read_parts(folder, INFER, world_size, 10))
    write_mining_result(env, paths, read_parts(folder, MINING, world_size, 10))

    content = json.loads(env.output.infer_result_file.read_text(), parse_constant=no_constants)
    assert [(key, value['boxes'][0]['box']['x']) for key, value in content['detection'].items()] == [
        (f'{position}.jpg', position) for position in range(10)
    ]
    ranked = [line.split('\t')[0] for line in env.output.mining_result_file.read_text().splitlines()]
    assert ranked == [f'/in/{position}.jpg' for position in (1, 7, 4, 0, 3, 5, 9, 8, 2, 6)]


WRITE = """
import sys
from pathlib import Path
from executor.contract.env import read_env
from executor.contract.index import read_candidate_index
from executor.contract.output.candidates import infer_line, score_text, write_infer_result, write_mining_result
from executor.contract.output.parts import PartWriter, parts_dir, read_parts
from executor.contract.output.result_keys import ResultKeys

env = read_env(Path(sys.argv[1]))
index = read_candidate_index(env.input.candidate_index_file)
task, lines = sys.argv[2], {'infer': lambda i: infer_line([('cat', 0.5, (i, 2, 3, 4))] * 3),
                            'mining': lambda i: score_text(i * 7919 % len(index) / 3)}
for rank in range(2):
    with PartWriter(parts_dir(env), task, rank) as part:
        for position in range(rank, len(index), 2):
            part.write(position, lines[task](position))
parts = read_parts(parts_dir(env), task, 2, len(index))
if task == 'infer':
    write_infer_result(env, ResultKeys(index), parts)
else:
    write_mining_result(env, index, parts)
"""


@pytest.mark.slow
@pytest.mark.parametrize('task, limit', [('infer', 45), ('mining', 130)])  # MB; to sort takes positions and scores
def test_a_million_results_take_little_memory(ymir_task: TaskFolder, task, limit):
    env = ymir_task.env(task)
    peaks = []
    for count in (1000, 1_000_000):
        with env.input.candidate_index_file.open('w') as stream:
            stream.writelines(f'/in/assets/{i % 256:02x}/{i:040x}.jpg\n' for i in range(count))
        peaks.append(peak_memory(WRITE, ymir_task.root / 'in' / 'env.yaml', task))
    assert peaks[1] - peaks[0] < limit
    file: Path = env.output.infer_result_file if task == 'infer' else env.output.mining_result_file
    with file.open() as stream:
        assert sum('.jpg' in line for line in stream) == 1_000_000
