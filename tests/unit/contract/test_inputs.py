"""What a task needs is looked for before anything heavy starts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from demo.task_folder import add_annotation, add_image
from desk.task_folder import write_index
from executor.contract.errors import ConfigError, DatasetError, ModelError
from executor.contract.inputs import check_inputs, check_listed
from executor.contract.params import Job
from tests.support.refusal import refusal
from tests.support.task_folder import TaskFolder, line_of

LOST = 'that cannot be found or may not be read: export the dataset again'


@pytest.fixture
def exported(ymir_task: TaskFolder) -> TaskFolder:
    """Three images for training, one for validation, all four as candidates."""
    images = [add_image(ymir_task.root, f'{name}.jpg') for name in 'abcd']
    rows = [(image, add_annotation(ymir_task.root, f'{image.stem}.txt')) for image in images]
    write_index(ymir_task.root, 'train-index.tsv', rows[:3])
    write_index(ymir_task.root, 'val-index.tsv', rows[3:])
    write_index(ymir_task.root, 'candidate-index.tsv', [(image,) for image in images])
    return ymir_task


def without(job: Job, index: str) -> Job:
    """The job, env.yaml naming no such index."""
    paths = dataclasses.replace(job.env.input, **{index: None})
    return dataclasses.replace(job, env=dataclasses.replace(job.env, input=paths))


@pytest.mark.parametrize(
    'tasks, unused',
    [
        (['training'], ['candidate-index.tsv']),
        *((tasks, ['train-index.tsv', 'annotations/a.txt']) for tasks in (['mining'], ['infer'], ['mining', 'infer'])),
    ],
)
def test_a_sound_task_passes_and_what_others_need_may_be_missing(exported: TaskFolder, tasks, unused):
    check_inputs(exported.job(*tasks))
    for name in unused:
        (exported.root / 'in' / name).unlink()
    check_inputs(exported.job(*tasks))


@pytest.mark.parametrize(
    'task, index, message',
    [
        ('training', 'training_index_file', 'the platform writes it for a training'),
        ('training', 'val_index_file', 'choose a validation set, or set args_options to --no-validate'),
        ('mining', 'candidate_index_file', 'the platform writes it for this task'),
        ('infer', 'candidate_index_file', 'the platform writes it for this task'),
    ],
)
def test_env_yaml_lacks_the_index(exported: TaskFolder, task, index, message):
    told = refusal(ConfigError, check_inputs, without(exported.job(task), index))
    assert told == f'env.yaml names no input.{index}: {message}'


@pytest.mark.parametrize(
    'task, index, lost, line',
    [
        ('training', 'train-index.tsv', 'assets/b.jpg', 2),
        ('training', 'train-index.tsv', 'annotations/c.txt', 3),
        ('training', 'val-index.tsv', 'assets/d.jpg', 1),
        ('training', 'val-index.tsv', 'annotations/d.txt', 1),
        ('mining', 'candidate-index.tsv', 'assets/c.jpg', 3),
        ('infer', 'candidate-index.tsv', 'assets/d.jpg', 4),
    ],
)
def test_a_listed_file_is_missing(exported: TaskFolder, task, index, lost, line):
    inside, job = exported.root / 'in', exported.job(task)
    (inside / lost).unlink()
    told = refusal(DatasetError, check_inputs, job)
    assert told == f'{inside}/{index} lists 1 file ({inside}/{lost} ({inside}/{index}:{line})) {LOST}'
    (inside / index).unlink()
    assert refusal(DatasetError, check_inputs, job).startswith(f'index file {inside}/{index} cannot be read')


@pytest.mark.parametrize(
    'task, index, row',
    [
        ('training', 'train-index.tsv', ('/etc/hostname', '{in}/annotations/a.txt')),
        ('training', 'val-index.tsv', ('{in}/assets/a.jpg', '/etc/hostname')),
        ('infer', 'candidate-index.tsv', ('/etc/hostname',)),
    ],
)
def test_a_listed_file_lies_outside(exported: TaskFolder, task, index, row):
    inside = exported.root / 'in'
    write_index(exported.root, index, [[column.format(**{'in': inside}) for column in row]])
    with pytest.raises(DatasetError, match=rf'{index} lists 1 file \(/etc/hostname \({inside}/{index}:1\)\) outside'):
        check_inputs(exported.job(task))


def test_an_annotation_file_for_all_images_is_counted_once(exported: TaskFolder):
    inside = exported.root / 'in'
    rows = [(f'{inside}/assets/{name}.jpg', inside / 'c.json') for name in 'abc']
    write_index(exported.root, 'train-index.tsv', rows)
    told = refusal(DatasetError, check_inputs, exported.job())
    assert f'lists 1 file ({inside}/c.json ({inside}/train-index.tsv:1)) that' in told


def test_what_a_training_may_do_without(exported: TaskFolder):
    exported.write('out/saved.pth', '')
    check_inputs(exported.job(args_options=f'--resume {exported.root}/out/saved.pth'))
    check_inputs(exported.job(args_options='--resume'))  # from the latest, which may not be there yet
    check_inputs(without(exported.job(args_options='--no-validate'), 'val_index_file'))
    # What the files hold is not read.
    add_annotation(exported.root, 'a.txt', 'no annotation')
    add_image(exported.root, 'a.jpg', b'no image')
    check_inputs(exported.job())


@pytest.mark.parametrize('validation', [None, '', '\n', 'no index\n'])
def test_a_training_without_validation_does_not_look_at_its_index(exported: TaskFolder, validation):
    index = exported.root / 'in' / 'val-index.tsv'
    index.unlink()
    if validation is not None:
        index.write_text(validation)
    check_inputs(exported.job(args_options='--no-validate'))
    with pytest.raises(DatasetError, match='val-index.tsv'):
        check_inputs(exported.job())


def test_one_image_with_two_annotations(exported: TaskFolder):
    inside = exported.root / 'in'
    rows = [(f'{inside}/assets/a.jpg', f'{inside}/annotations/{name}.txt') for name in 'abc']
    for index in ('train-index.tsv', 'val-index.tsv'):
        sound = (inside / index).read_text()
        path = write_index(exported.root, index, rows)
        assert refusal(DatasetError, check_inputs, exported.job()) == (
            f'{path}:2: {inside}/assets/a.jpg has another annotation here than in {path}:1, and only one can be right: '
            'export the dataset again'
        )
        path.write_text(sound)


def test_images_listed_again_and_in_both_sets_are_told(exported: TaskFolder, caplog):
    inside = exported.root / 'in'
    *rows, alone = [(f'{inside}/assets/{name}.jpg', f'{inside}/annotations/{name}.txt') for name in 'abbdc']
    path = write_index(exported.root, 'train-index.tsv', rows)
    write_index(exported.root, 'val-index.tsv', [rows[3], alone])
    check_inputs(exported.job())
    assert [record.getMessage() for record in caplog.records] == [
        f'{path} lists 1 file ({rows[1][0]} ({path}:3)) again: they count as often as they are listed',
        f'1 file ({rows[3][0]} ({inside}/val-index.tsv:1)) of the validation set are in the training set as well: '
        'mAP will be too good',
    ]
    caplog.clear()
    check_inputs(exported.job(args_options='--no-validate'))
    assert len(caplog.records) == 1


@pytest.mark.parametrize('name', ['lost.pth', 'models'])
def test_the_file_to_resume_from_is_missing(exported: TaskFolder, name):
    job = exported.job(args_options=f'--resume {exported.root}/out/{name}')
    place = f'{exported.config_file}:{line_of(exported.config_file, "args_options:")}'
    assert refusal(ModelError, check_inputs, job) == (
        f'{place}: args_options --resume {exported.root}/out/{name}: no such file: name one that the container sees'
    )


# --- the files that an index lists ----------------------------------------------------------------------------------


def listed(ymir_task: TaskFolder, *paths: str) -> None:
    """Check paths as those of the lines 11, 12, ... of an index; `{in}` is the input folder, `{root}` the task's."""
    folders = {'in': ymir_task.root / 'in', 'root': ymir_task.root}
    lines = [(number, path.format(**folders)) for number, path in enumerate(paths)]
    check_listed(Path('/in/i.tsv'), lines, lambda number: f'i.tsv:{number + 11}', ymir_task.env().input)


def test_listed_files_that_are_there(exported: TaskFolder):
    exported.write('in/top.txt', '')
    listed(exported)
    listed(exported, '{in}/assets/a.jpg', '{in}/annotations/a.txt', '{in}/top.txt')
    listed(exported, '{in}/assets/../assets/a.jpg', '{in}//assets/./a.jpg', '{root}/out/../in/assets/a.jpg')
    add_image(exported.root, '0a/..jpg')
    listed(exported, '{in}/assets/0a/..jpg')  # dots that lead nowhere


FIVE = ', '.join(f'{{in}}/assets/{n}.jpg (i.tsv:{n + 11})' for n in range(5))


@pytest.mark.parametrize(
    'paths, counted',
    [
        (['{in}/assets/x.jpg'], '1 file ({in}/assets/x.jpg (i.tsv:11))'),
        (['{in}/assets/a.jpg', '{in}/assets'], '1 file ({in}/assets (i.tsv:12))'),  # a folder is no file
        (['{in}/assets/a.jpg/b.jpg'], '1 file ({in}/assets/a.jpg/b.jpg (i.tsv:11))'),
        (['{in}/x.jpg', '{in}/assets/a.jpg', '{in}/y'], '2 files ({in}/x.jpg (i.tsv:11), {in}/y (i.tsv:13))'),
        ([f'{{in}}/assets/{n}.jpg' for n in range(5)], f'5 files ({FIVE})'),
        ([f'{{in}}/assets/{n}.jpg' for n in range(6)], f'6 files ({FIVE}, ...)'),
        ([f'{{in}}/assets/{n}.jpg' for n in range(100_000)], f'100000 files ({FIVE}, ...)'),
        (['{in}/assets/a.jpg\0'], '1 file ({in}/assets/a.jpg\0 (i.tsv:11))'),  # names that no file can have
    ],
    ids=len,
)
def test_listed_files_that_are_missing(exported: TaskFolder, paths, counted):
    named = counted.format(**{'in': exported.root / 'in'})
    assert refusal(DatasetError, listed, exported, *paths) == f'/in/i.tsv lists {named} {LOST}'


def test_a_listed_name_that_is_too_long_for_a_file_is_shortened(ymir_task: TaskFolder):
    told = refusal(DatasetError, listed, ymir_task, '{in}/assets/' + 'x' * 100_000)
    assert told.startswith(f'/in/i.tsv lists 1 file ({ymir_task.root}/in/assets/xxx')
    assert told.endswith(f'xxx (i.tsv:11)) {LOST}')
    assert len(told) < 400


OUTSIDE = ['/etc/hostname', 'relative.jpg', '', '{in}/../out/a.jpg', '{in}/assets/../../../etc/hostname']


# The folder itself is no file in it, nor is what begins like it.
@pytest.mark.parametrize('path', [*OUTSIDE, '{in}', '{in}side/a.jpg'])
def test_a_listed_file_lies_outside_of_the_input_folders(exported: TaskFolder, path):
    exported.write('out/a.jpg', '')
    exported.write('inside/a.jpg', '')
    inside, named = exported.root / 'in', path.format(**{'in': exported.root / 'in'})
    assert refusal(DatasetError, listed, exported, '{in}/assets/a.jpg', path) == (
        f'/in/i.tsv lists 1 file ({named} (i.tsv:12)) outside of the input folders {inside}, {inside}/assets, '
        f'{inside}/annotations: export the dataset again'
    )


def test_outside_counts_before_missing(ymir_task: TaskFolder):
    with pytest.raises(DatasetError, match=r'lists 2 files \(/a \(i.tsv:12\), /b \(i.tsv:13\)\) outside'):
        listed(ymir_task, '{in}/assets/missing.jpg', '/a', '/b')


def test_input_folders_and_listed_files_may_be_links(ymir_task: TaskFolder):
    """The platform of some sites links assets from a store; what a path says counts, not where it leads."""
    ymir_task.write('store/a.jpg', '')
    (ymir_task.root / 'in/assets').rmdir()
    (ymir_task.root / 'in/assets').symlink_to(ymir_task.root / 'store')
    (ymir_task.root / 'in/linked.jpg').symlink_to(ymir_task.root / 'store/a.jpg')
    listed(ymir_task, '{in}/assets/a.jpg', '{in}/linked.jpg', '{root}/store/a.jpg')
