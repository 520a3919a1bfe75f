from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.contract.output.infer_result import ResultKeys, infer_line, write_infer_result
from executor.contract.output.mining_result import score_text, write_mining_result
from executor.contract.output.parts import (
    INFER,
    MINING,
    PartWriter,
    clear_candidate_results,
    parts_dir,
    read_parts,
    remove_parts,
)
from tests.support.peak_memory import peak_memory
from tests.support.task_folder import TaskFolder, names_in


def write_parts(folder: Path, positions: list[list[int]], name: str = INFER) -> None:
    """A part for each rank, of the given positions; the line of position 3 is `line 3`."""
    for rank, share in enumerate(positions):
        with PartWriter(folder, name, rank) as part:
            for position in share:
                part.write(position, f'line {position}')


def shares(count: int, world_size: int) -> list[list[int]]:
    return [list(range(rank, count, world_size)) for rank in range(world_size)]


@pytest.mark.parametrize('world_size', [1, 2, 3, 4, 7, 10, 12])
@pytest.mark.parametrize('count', [1, 10])
def test_parts_come_back_in_the_order_of_the_index(tmp_path, count, world_size):
    write_parts(tmp_path, shares(count, world_size))
    assert list(read_parts(tmp_path, INFER, world_size, count)) == [(n, f'line {n}') for n in range(count)]


def test_any_text_of_one_line_comes_back(tmp_path):
    lines = ['', '[]', 'with\ttab', 'Größe 日本 😀', 'a\rb\r', '\u2028\x0b\x85', '0.1']
    with PartWriter(tmp_path / '.parts', INFER, 0) as part:
        for position, line in enumerate(lines):
            part.write(position, line)
    written = ''.join(f'{position}\t{line}\n' for position, line in enumerate(lines))
    assert (tmp_path / '.parts' / 'infer-0.tsv').read_bytes() == written.encode()
    assert list(read_parts(tmp_path / '.parts', INFER, 1, len(lines))) == list(enumerate(lines))


def test_a_result_of_several_lines_is_refused(tmp_path):
    with PartWriter(tmp_path, INFER, 0) as part, pytest.raises(AssertionError, match='several lines at position 4'):
        part.write(4, 'a\nb')


@pytest.mark.parametrize(
    'positions, message',
    [
        ([[0, 2, 4], [1]], r"infer-1\.tsv has '' where position 3 is due"),
        ([[0, 4], [1, 3]], r"infer-0\.tsv has '4\\tline 4\\n' where position 2 is due"),
        ([[0, 2, 2, 4], [1, 3]], r"infer-0\.tsv has '2\\tline 2\\n' where position 4 is due"),
        ([[0, 2, 4, 4], [1, 3]], r"infer-0\.tsv has a result too many: '4\\tline 4\\n'"),
        ([[0, 2, 4], [1, 3, 5]], r"infer-1\.tsv has a result too many: '5\\tline 5\\n'"),
        ([[2, 0, 4], [1, 3]], r"infer-0\.tsv has '2\\tline 2\\n' where position 0 is due"),
        ([[1, 3], [0, 2, 4]], r"infer-0\.tsv has '1\\tline 1\\n' where position 0 is due"),
        ([[], []], r"infer-0\.tsv has '' where position 0 is due"),
        ([[0, 3], [1, 4], [2]], r"'3\\tline 3\\n' where position 2 is due"),  # of another world size
        ([[0, 2, 4]], 'rank 1 left no part'),
    ],
)
def test_a_position_that_is_missing_doubled_or_misplaced(tmp_path, positions, message):
    write_parts(tmp_path, positions)
    with pytest.raises(AssertionError, match=message):
        list(read_parts(tmp_path, INFER, 2, 5))


def test_a_part_that_ends_in_the_middle_of_a_line(tmp_path):
    (tmp_path / 'infer-0.tsv').write_text('0\tline 0\n1\tli')
    with pytest.raises(AssertionError, match='where position 1 is due'):
        list(read_parts(tmp_path, INFER, 1, 2))


def test_the_parts_of_two_tasks_lie_side_by_side_over_those_of_an_earlier_run(tmp_path):
    for count in (10, 2):
        write_parts(tmp_path, shares(count, 1), name=INFER)
    write_parts(tmp_path, shares(3, 2), name=MINING)
    assert [n for n, _ in read_parts(tmp_path, INFER, 1, 2)] == [0, 1]
    assert [n for n, _ in read_parts(tmp_path, MINING, 2, 3)] == [0, 1, 2]


@pytest.mark.parametrize(
    'tasks, left', [(['infer'], ['result.tsv']), (['mining'], ['infer-result.json']), (['infer', 'mining'], [])]
)
def test_clear_forgets_an_earlier_run_of_the_same_task(ymir_task: TaskFolder, tasks, left):
    env = ymir_task.env(*tasks)
    clear_candidate_results(env)  # nothing there
    for name in ('infer-result.json', 'result.tsv'):
        (ymir_task.root / 'out' / name).write_text('old')
    PartWriter(parts_dir(env), INFER, 5).close()
    assert names_in(ymir_task.root / 'out' / '.parts') == ['infer-5.tsv']
    clear_candidate_results(env)
    assert names_in(ymir_task.root / 'out') == sorted(['models', 'tensorboard', *left])


def test_only_parts_are_removed(ymir_task: TaskFolder):
    env = ymir_task.env('infer')
    folder = parts_dir(env)
    for name in (INFER, MINING):
        PartWriter(folder, name, 12).close()
    ymir_task.write('out/.parts/infer-x.tsv', "the user's")
    remove_parts(env)
    assert names_in(folder) == ['infer-x.tsv']
    folder.rename(ymir_task.root / 'elsewhere')
    folder.symlink_to(ymir_task.root / 'elsewhere')
    PartWriter(ymir_task.root / 'elsewhere', INFER, 0).close()
    remove_parts(env)
    assert names_in(ymir_task.root / 'elsewhere') == ['infer-0.tsv', 'infer-x.tsv']


# --- from the parts to the two files ----------------------------------------------------------------------------------


@pytest.mark.parametrize('old', [None, 'old'])
@pytest.mark.parametrize('positions', [[], [0], [0, 1], [0, 2], [0, 1, 1], [0, 0, 1], [1, 0, 2], [0, 1, 2, 3]])
def test_a_position_missing_doubled_or_misplaced_leaves_the_old_file(ymir_task: TaskFolder, positions, old):
    env = ymir_task.env('infer', 'mining')
    files = (env.output.infer_result_file, env.output.mining_result_file)
    for file in files if old else ():
        file.write_text(old)
    paths = ['a', 'b', 'c']
    for write, listed in ((write_infer_result, ResultKeys(paths)), (write_mining_result, paths)):
        with pytest.raises(AssertionError, match='position|results of'):
            write(env, listed, [(position, '1') for position in positions])
    assert [file.read_text() if file.exists() else None for file in files] == [old, old]
    assert len(names_in(ymir_task.root / 'out')) == (4 if old else 2)


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

    content = json.loads(env.output.infer_result_file.read_text(), parse_constant=pytest.fail)
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
from executor.contract.output.infer_result import ResultKeys, infer_line, write_infer_result
from executor.contract.output.mining_result import score_text, write_mining_result
from executor.contract.output.parts import PartWriter, parts_dir, read_parts

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
@pytest.mark.parametrize('task, limit', [('infer', 500), ('mining', 220)])  # MB; the index takes 75
def test_a_million_results_take_no_more_memory_than_is_fine(ymir_task: TaskFolder, task, limit):
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
