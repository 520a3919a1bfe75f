from __future__ import annotations

import pytest

from executor.contract.index import read_candidate_index
from executor.contract.output.mining_result import score_text, write_mining_result
from tests.support.task_folder import TaskFolder, names_in


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
    write_mining_result(env, 'abcd'[: len(scores)], enumerate(map(score_text, scores)))
    lines = (ymir_task.root / 'out' / 'result.tsv').read_text()
    assert lines == ''.join(line.replace(' ', '\t') + '\n' for line in expected.split(', '))
    assert names_in(ymir_task.root / 'out') == ['models', 'result.tsv', 'tensorboard']


def test_what_comes_first_has_the_scores_of_its_places(ymir_task: TaskFolder):
    env = ymir_task.env('mining')
    write_mining_result(env, 'abcde', enumerate(map(score_text, [0.5, 0.25, 0.75, 0.1, 0.5])), first=[0, 3])
    assert env.output.mining_result_file.read_text() == 'a\t0.75\nd\t0.5\nc\t0.5\ne\t0.25\nb\t0.1\n'


def test_float32_scores_keep_their_order(ymir_task: TaskFolder):
    numpy = pytest.importorskip('numpy')
    one = numpy.float32(1)
    scores = [one, numpy.nextafter(one, numpy.float32(2)), numpy.nextafter(one, numpy.float32(0))]
    env = ymir_task.env('mining')
    write_mining_result(env, 'abc', enumerate(map(score_text, scores)))
    rows = [line.split('\t') for line in env.output.mining_result_file.read_text().splitlines()]
    assert [path for path, _ in rows] == ['b', 'a', 'c']
    assert [numpy.float32(text) for _, text in rows] == [scores[1], scores[0], scores[2]]


def test_paths_stand_exactly_as_in_the_index(ymir_task: TaskFolder):
    env = ymir_task.env('mining')
    paths = ['/in/ä b.jpg', ' /in/c ', '/in/ä b.jpg', '/in/😀']  # with one that is listed twice
    index_file = env.input.candidate_index_file
    index_file.write_bytes('\r\n'.join(f'{path}\tmore' for path in paths).encode())
    write_mining_result(env, read_candidate_index(index_file), enumerate(['0.25', '0.5', '1.0', '2']))
    assert env.output.mining_result_file.read_bytes().decode() == (
        '/in/😀\t2.0\n/in/ä b.jpg\t1.0\n /in/c \t0.5\n/in/ä b.jpg\t0.25\n'
    )


@pytest.mark.parametrize('score', ['nan', 'inf', '-inf'])
def test_a_score_that_cannot_be_ranked_leaves_no_file(ymir_task: TaskFolder, score):
    env = ymir_task.env('mining')
    with pytest.raises(AssertionError, match='a score of'):
        score_text(float(score))
    with pytest.raises(AssertionError, match='a score of'):
        write_mining_result(env, 'abc', enumerate(['0.5', score, '0.25']))
    assert names_in(ymir_task.root / 'out') == ['models', 'tensorboard']
