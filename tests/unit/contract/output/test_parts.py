from __future__ import annotations

from pathlib import Path

import pytest

from executor.contract.output.parts import INFER, MINING, PartWriter, parts_dir, read_parts, remove_parts
from tests.support.task_folder import TaskFolder, names_in


def write_parts(folder: Path, world_size: int, positions: dict[int, list[int]], name: str = INFER) -> None:
    """A part for each rank, of the given positions; the line of position 3 is `line 3`."""
    for rank in range(world_size):
        with PartWriter(folder, name, rank) as part:
            for position in positions[rank]:
                part.write(position, f'line {position}')


def shares(count: int, world_size: int) -> dict[int, list[int]]:
    return {rank: list(range(rank, count, world_size)) for rank in range(world_size)}


@pytest.mark.parametrize('world_size', [1, 2, 3, 4, 7, 10, 12])
@pytest.mark.parametrize('count', [1, 10])
def test_parts_come_back_in_the_order_of_the_index(tmp_path, count, world_size):
    write_parts(tmp_path, world_size, shares(count, world_size))
    assert list(read_parts(tmp_path, INFER, world_size, count)) == [(n, f'line {n}') for n in range(count)]


def test_a_part_as_a_file(tmp_path):
    with PartWriter(tmp_path / '.parts', MINING, 2) as part:
        part.write(2, '0.5')
        part.write(6, 'with\ttab, ü, \u2028 and \r')
    assert (tmp_path / '.parts' / 'mining-2.tsv').read_bytes() == '2\t0.5\n6\twith\ttab, ü, \u2028 and \r\n'.encode()


def test_any_text_of_one_line_comes_back(tmp_path):
    lines = ['', '[]', 'with\ttab', 'Größe 日本 😀', 'a\rb\r', '\u2028\x0b\x85', '0.1']
    with PartWriter(tmp_path, INFER, 0) as part:
        for position, line in enumerate(lines):
            part.write(position, line)
    assert list(read_parts(tmp_path, INFER, 1, len(lines))) == list(enumerate(lines))


def test_a_result_of_several_lines_is_refused(tmp_path):
    with PartWriter(tmp_path, INFER, 0) as part, pytest.raises(AssertionError, match='several lines at position 4'):
        part.write(4, 'a\nb')


@pytest.mark.parametrize(
    'positions, message',
    [
        ({0: [0, 2, 4], 1: [1]}, r"infer-1\.tsv has '' where position 3 is due"),
        ({0: [0, 4], 1: [1, 3]}, r"infer-0\.tsv has '4\\tline 4\\n' where position 2 is due"),
        ({0: [0, 2, 2, 4], 1: [1, 3]}, r"infer-0\.tsv has '2\\tline 2\\n' where position 4 is due"),
        ({0: [0, 2, 4, 4], 1: [1, 3]}, r"infer-0\.tsv has a result too many: '4\\tline 4\\n'"),
        ({0: [0, 2, 4], 1: [1, 3, 5]}, r"infer-1\.tsv has a result too many: '5\\tline 5\\n'"),
        ({0: [2, 0, 4], 1: [1, 3]}, r"infer-0\.tsv has '2\\tline 2\\n' where position 0 is due"),
        ({0: [1, 3], 1: [0, 2, 4]}, r"infer-0\.tsv has '1\\tline 1\\n' where position 0 is due"),
        ({0: [], 1: []}, r"infer-0\.tsv has '' where position 0 is due"),
    ],
)
def test_a_position_that_is_missing_doubled_or_misplaced(tmp_path, positions, message):
    write_parts(tmp_path, 2, positions)
    with pytest.raises(AssertionError, match=message):
        list(read_parts(tmp_path, INFER, 2, 5))


def test_a_part_of_another_world_size(tmp_path):
    write_parts(tmp_path, 3, shares(10, 3))
    with pytest.raises(AssertionError, match="'3\\\\tline 3\\\\n' where position 2 is due"):
        list(read_parts(tmp_path, INFER, 2, 10))


def test_a_part_that_is_missing(tmp_path):
    write_parts(tmp_path, 2, shares(1, 2))
    (tmp_path / 'infer-1.tsv').unlink()
    with pytest.raises(AssertionError, match='rank 1 left no part'):
        list(read_parts(tmp_path, INFER, 2, 1))


def test_a_part_that_ends_in_the_middle_of_a_line(tmp_path):
    (tmp_path / 'infer-0.tsv').write_text('0\tline 0\n1\tli')
    with pytest.raises(AssertionError, match='where position 1 is due'):
        list(read_parts(tmp_path, INFER, 1, 2))


def test_an_earlier_part_is_overwritten(tmp_path):
    write_parts(tmp_path, 1, shares(10, 1))
    write_parts(tmp_path, 1, shares(2, 1))
    assert len(list(read_parts(tmp_path, INFER, 1, 2))) == 2


def test_the_parts_of_two_tasks_lie_side_by_side(tmp_path):
    write_parts(tmp_path, 1, shares(2, 1), name=INFER)
    write_parts(tmp_path, 2, shares(3, 2), name=MINING)
    assert [n for n, _ in read_parts(tmp_path, INFER, 1, 2)] == [0, 1]
    assert [n for n, _ in read_parts(tmp_path, MINING, 2, 3)] == [0, 1, 2]


def test_parts_lie_hidden_in_the_output_and_are_removed(ymir_task: TaskFolder):
    env = ymir_task.env('infer')
    write_parts(parts_dir(env), 2, shares(4, 2))
    assert names_in(ymir_task.root / 'out' / '.parts') == ['infer-0.tsv', 'infer-1.tsv']
    remove_parts(env)
    remove_parts(env)
    assert names_in(ymir_task.root / 'out') == ['models', 'tensorboard']
