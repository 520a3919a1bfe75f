from __future__ import annotations

import json
import math
import signal
import subprocess
import sys

import pytest

from executor.contract.output.infer_result import ResultKeys, infer_line, write_infer_result
from executor.contract.output.parts import INFER, PartWriter, clear_candidate_results, parts_dir, read_parts
from tests.support.peak_memory import REPOSITORY
from tests.support.task_folder import TaskFolder, names_in

CAT = ('cat', 0.8, (30, 40, 50, 60))
CAT_CONTENT = {'class_name': 'cat', 'score': 0.8, 'box': {'x': 30, 'y': 40, 'w': 50, 'h': 60}}


# --- the boxes of an image ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'boxes, expected',
    [
        ([], '[]'),
        ([CAT], '[{"class_name": "cat", "score": 0.8, "box": {"x": 30, "y": 40, "w": 50, "h": 60}}]'),
        (
            [('größer "als" 日本', 1, (0, 0, 1, 1)), ('a\nb\t', 0.0, (7, 8, 1, 2))],
            '[{"class_name": "größer \\"als\\" 日本", "score": 1.0, "box": {"x": 0, "y": 0, "w": 1, "h": 1}}, '
            '{"class_name": "a\\nb\\t", "score": 0.0, "box": {"x": 7, "y": 8, "w": 1, "h": 2}}]',
        ),
    ],
)
def test_boxes_as_a_line(boxes, expected):
    assert infer_line(iter(boxes)) == expected


def test_scores_are_rounded():
    written = {0.12345649: '0.123456', 0.1234565001: '0.123457', 2 / 3: '0.666667', 1e-5: '1e-05', 1e-9: '0.0'}
    for score, expected in written.items():
        assert f'"score": {expected},' in infer_line([('cat', score, (0, 0, 1, 1))])


@pytest.mark.parametrize(
    'box', [(-1, 0, 1, 1), (0, -1, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0), (0.0, 0, 1, 1), (0, 0, True, 1), (0, 0, 1)]
)
def test_a_box_that_the_platform_would_reject(box):
    with pytest.raises((AssertionError, ValueError)):
        infer_line([CAT, ('cat', 0.5, box)])


def test_numbers_of_numpy():
    numpy = pytest.importorskip('numpy')
    assert json.loads(infer_line([('cat', numpy.float32(0.8), (30, 40, 50, 60))])) == [CAT_CONTENT]
    with pytest.raises(AssertionError, match='plain integers'):
        infer_line([('cat', 0.5, tuple(numpy.array([1, 2, 3, 4])))])


@pytest.mark.parametrize('score', [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number(score):
    with pytest.raises(AssertionError, match='a score of'):
        infer_line([('cat', score, (0, 0, 1, 1))])


# --- keys ----------------------------------------------------------------------------------------------------------

# Paths, their keys, how many lack their base name, which is the first, how many have no key.
CASES = [
    ([], [], 0, None, 0),
    (['/in/a.jpg'], ['a.jpg'], 0, None, 0),
    (['/in/a.jpg', '/in/b.jpg', '/in/a'], ['a.jpg', 'b.jpg', 'a'], 0, None, 0),
    (['A/x.jpg', 'B/x.jpg'], ['x.jpg', 'B/x.jpg'], 1, 1, 0),
    (['A/x.jpg'] * 3, ['x.jpg', None, None], 2, 1, 2),
    (['A/x.jpg', 'B/x.jpg', 'A/x.jpg', 'B/x.jpg'], ['x.jpg', 'B/x.jpg', None, None], 3, 1, 2),
    (['A/x.jpg', 'B/y.jpg', 'B/x.jpg', 'C/x.jpg'], ['x.jpg', 'y.jpg', 'B/x.jpg', 'C/x.jpg'], 2, 2, 0),
    # The same file by another spelling is another path.
    (['A/x.jpg', 'A//x.jpg', 'A/./x.jpg'], ['x.jpg', 'A//x.jpg', 'A/./x.jpg'], 2, 1, 0),
    (['A/x.jpg', 'A/X.jpg', 'A/x.jpg '], ['x.jpg', 'X.jpg', 'x.jpg '], 0, None, 0),
    # A path without a folder is its base name, so where that is taken, no key is left.
    (['x.jpg', 'x.jpg'], ['x.jpg', None], 1, 1, 1),
    (['A/x.jpg', 'x.jpg', 'B/x.jpg'], ['x.jpg', None, 'B/x.jpg'], 2, 1, 1),
    (['x.jpg', 'A/x.jpg'], ['x.jpg', 'A/x.jpg'], 1, 1, 0),
    (['x.jpg', './x.jpg', '/x.jpg'], ['x.jpg', './x.jpg', '/x.jpg'], 2, 1, 0),
    # No base name at all.
    (['A/', 'A/', '/', 'A'], ['A/', None, '/', 'A'], 1, 1, 1),
    (['/in/Größe.jpg', '/in/b/Größe.jpg', '/in/😀 1.jpg'], ['Größe.jpg', '/in/b/Größe.jpg', '😀 1.jpg'], 1, 1, 0),
]


@pytest.mark.parametrize('paths, expected, repeated, first_repeated, without_key', CASES)
def test_keys(paths, expected, repeated, first_repeated, without_key):
    keys = ResultKeys(paths)
    assert [keys.key(position) for position in range(len(keys))] == expected
    assert (keys.repeated, keys.first_repeated, keys.without_key) == (repeated, first_repeated, without_key)


# --- infer-result.json ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'protocol, boxes', [(None, 'annotations'), ('0.0', 'annotations'), ('1.0', 'boxes'), ('1.1.0', 'boxes')]
)
def test_boxes_as_the_protocol_wants_them(ymir_task: TaskFolder, protocol, boxes):
    keys = ResultKeys(['/in/assets/0a/a.jpg', '/in/assets/0b/b'])
    lines = [infer_line([CAT]), infer_line([])]
    write_infer_result(ymir_task.env('infer', protocol=protocol), keys, enumerate(lines))
    content = json.loads((ymir_task.root / 'out' / 'infer-result.json').read_text())
    assert content == {'detection': {'a.jpg': {boxes: [CAT_CONTENT]}, 'b': {boxes: []}}}
    assert names_in(ymir_task.root / 'out') == ['infer-result.json', 'models', 'tensorboard']


@pytest.mark.parametrize(
    'paths, text',
    [
        (['A/ä "1".jpg', 'A/b c.jpg'], '"ä \\"1\\".jpg": {"boxes": []},\n"b c.jpg": {"boxes": []}'),
        (['A/x.jpg', 'A/x.jpg'], '"x.jpg": {"boxes": []}'),
        (['A/x.jpg'], '"x.jpg": {"boxes": []}'),
    ],
)
def test_the_file_is_json_with_a_line_an_image(ymir_task: TaskFolder, paths, text):
    env = ymir_task.env('infer')
    write_infer_result(env, ResultKeys(paths), enumerate(['[]'] * len(paths)))
    assert env.output.infer_result_file.read_text(encoding='utf-8') == f'{{"detection": {{\n{text}\n}}}}\n'


def test_each_key_is_written_once(ymir_task: TaskFolder):
    env = ymir_task.env('infer')
    paths = ['A/x.jpg', 'B/x.jpg', 'A/x.jpg', 'A/y.jpg', 'B/x.jpg', 'y.jpg']
    lines = [infer_line([('cat', 0.5, (position, 0, 1, 1))]) for position in range(len(paths))]
    write_infer_result(env, ResultKeys(paths), enumerate(lines))

    pairs = json.loads(env.output.infer_result_file.read_text(), object_pairs_hook=list)
    found = [(key, value[0][1][0][2][1][0][1]) for key, value in pairs[0][1]]
    assert found == [('x.jpg', 0), ('B/x.jpg', 1), ('y.jpg', 3)]


def test_a_class_name_that_utf8_does_not_have(ymir_task: TaskFolder):
    """YAML reads `"\\ud83d\\ude00"` as two surrogates; as JSON's own escapes they mean the emoji again."""
    env = ymir_task.env('infer')
    with PartWriter(parts_dir(env), INFER, 0) as part:
        part.write(0, infer_line([('\ud83d\ude00', 0.5, (0, 0, 1, 1))]))
    write_infer_result(env, ResultKeys(['A/x.jpg']), read_parts(parts_dir(env), INFER, 1, 1))
    content = json.loads(env.output.infer_result_file.read_text(encoding='utf-8'))
    assert content['detection']['x.jpg']['boxes'][0]['class_name'] == '😀'


KILL_ITSELF = """
import os, signal, sys
from pathlib import Path
from executor.contract.env import read_env
from executor.contract.output.infer_result import ResultKeys, write_infer_result

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
