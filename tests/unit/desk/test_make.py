"""The command `make`: what is in the folder, what it says, and all that it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from desk.make import IMAGE
from executor.contract.annotations import read_records
from executor.contract.annotations.records import TrueBox
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.index import read_training_index
from executor.contract.inputs import check_inputs
from tests.conftest import REPOSITORY
from tests.support.layouts import Labelled, write_coco, write_image, write_voc, write_yolo
from tests.support.task_folder import names_in

SIZE = (100, 50)
CAT, DOG = ('cat', (10, 5, 30, 25)), ('dog', (50, 10, 90, 40))
IMAGES = [Labelled(f'{number}.png', SIZE, [CAT, DOG]) for number in range(9)]
IMAGES.append(Labelled('9.png', SIZE, [DOG], 'val'))


@pytest.fixture
def voc(tmp_path) -> Path:
    """Ten images, of which the dataset says nothing of a split."""
    return write_voc(tmp_path / 'data', IMAGES, split=False)


def job_of(task: Path, monkeypatch):
    """Read and check the task as start.py does, in its folder."""
    monkeypatch.chdir(task)
    job = read_job(read_env(Path('in/env.yaml')))
    check_inputs(job)
    return job


def coco_of(task: Path, part: str):
    return json.loads((task / f'in/annotations/{part}.json').read_text(encoding='utf-8'))


def test_a_training(desk, voc, tmp_path, monkeypatch):
    before = {file: (file.read_bytes(), file.stat().st_mtime) for file in voc.rglob('*.*')}
    status, told = desk('make', '--from', 'voc', voc, '--out', 'task', '--set', 'max_epochs=3', 'args_options=--seed 5')
    assert status == 0, told
    task = tmp_path / 'task'
    job = job_of(task, monkeypatch)
    assert job.training.class_names == ('cat', 'dog')
    assert (job.training.max_epochs, job.training.args_options.seed) == (3, 5)
    assert (job.training.export_format, job.training.samples_per_gpu) == ('coco:raw', 16)
    assert [len(coco_of(task, part)['images']) for part in ('train', 'val')] == [8, 2]
    assert coco_of(task, 'train')['annotations'][0] == {
        'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [10, 5, 20, 20], 'area': 400, 'iscrowd': 0,
    }  # fmt: skip
    assert {file: (file.read_bytes(), file.stat().st_mtime) for file in voc.rglob('*.*')} == before
    assert os.path.samefile(task / 'in/assets/0.png', voc / 'JPEGImages/0.png')
    for line in (
        'task: training, 10 images, 2 classes, 19 boxes',
        '| cat   |            7 |           7 |          2 |         2 |',
        'images: 10 hard links',
        'split: 0.2 of the images to validate with',
        'model: none given (--weights FILE',
        f'-v "$PWD":/work {IMAGE} task run task',
        'run task',
    ):
        assert line in told


def test_what_is_written_is_read_as_it_was(desk, tmp_path, monkeypatch):
    """Names with blanks and of any script, parts of pixels, difficult objects."""
    names = ['图像 1.png', 'ein Bild.png', "it's.png"]
    root = write_voc(
        tmp_path / 'data', [Labelled(name, SIZE, [('cat', (10.25, 5, 30.5, 25))]) for name in names], False
    )
    xml = root / 'Annotations/图像 1.xml'
    xml.write_text(xml.read_text(encoding='utf-8').replace('</object>', '<difficult>1</difficult></object>'))
    status, told = desk('make', '--from', 'voc', root, '--out', 'task')
    assert status == 0, told
    assert '1 boxes are crowds or difficult' in told
    job = job_of(tmp_path / 'task', monkeypatch)
    indexes = (job.env.input.training_index_file, job.env.input.val_index_file)
    records = [record for index in indexes for record in read_records(read_training_index(index), 'coco:raw', ('cat',))]
    assert {record.image.name: record.boxes for record in records} == {
        name: (TrueBox(0, 10.25, 5, 30.5, 25, name == '图像 1.png'),) for name in names
    }


def test_config_yaml_keeps_the_template_s_words(desk, voc, tmp_path):
    desk('make', '--from', 'voc', voc, '--out', 'task', '--set', 'max_epochs=3', 'cfg_options=a="1" b=ü')
    template = (REPOSITORY / 'training-template.yaml').read_text(encoding='utf-8').splitlines()
    config = (tmp_path / 'task/in/config.yaml').read_text(encoding='utf-8').splitlines()
    changed = [number for number, line in enumerate(template) if config[number] != line]
    assert [template[number].partition(':')[0] for number in changed] == ['export_format', 'max_epochs', 'cfg_options']
    assert yaml.safe_load('\n'.join(config))['cfg_options'] == 'a="1" b=ü'


def test_inference_and_mining_at_once_have_each_key_once(desk, tmp_path, monkeypatch):
    write_image(tmp_path / 'photos/über uns/1.jpg', SIZE)
    write_image(tmp_path / 'photos/1.jpg', SIZE)
    (tmp_path / 'model.pth').write_bytes(b'weights')
    arguments = ('--task', 'mining+infer', '--weights', 'model.pth', '--classes', 'a,b', '--gpu', '1,2')
    status, told = desk(
        'make', '--from', 'images', 'photos', '--out', 'task', *arguments, '--set', 'seed=4', 'conf_threshold=0'
    )
    assert status == 0, told
    job = job_of(tmp_path / 'task', monkeypatch)
    assert (job.mining.seed, job.infer.conf_threshold, job.mining.class_names) == (4, 0.0, ('a', 'b'))
    assert job.gpu_ids == (1, 2)
    assert [str(file) for file in job.infer.model_files] == ['in/models/model.pth']
    assert names_in(tmp_path / 'task/in/assets') == ['1.jpg', 'über uns_1.jpg']
    assert '1 images have another name in the task, first über uns_1.jpg for photos/über uns/1.jpg' in told
    assert '--gpus all --shm-size 16g' in told


def test_mining_by_chance_needs_neither_model_nor_classes(desk, tmp_path, monkeypatch):
    write_image(tmp_path / 'photos/1.jpg', SIZE)
    arguments = ('--task', 'mining', '--set', 'mining_algorithm=random')
    status, told = desk('make', '--from', 'images', 'photos', '--out', 'task', *arguments)
    assert status == 0, told
    assert job_of(tmp_path / 'task', monkeypatch).mining.model_files == ()


@pytest.mark.parametrize('layout', ['voc', 'coco', 'yolo'])
def test_the_dataset_s_own_split_is_kept(desk, tmp_path, layout):
    writers = {
        'voc': lambda root: write_voc(root, IMAGES),
        'coco': lambda root: write_coco(root, IMAGES, ('cat', 'dog')),
        'yolo': lambda root: write_yolo(root, IMAGES, ('cat', 'dog')),
    }
    root = writers[layout](tmp_path / 'data')
    status, told = desk('make', '--from', layout, root, '--out', 'task', '--val', '0.5')
    assert status == 0, told
    assert [image['file_name'] for image in coco_of(tmp_path / 'task', 'val')['images']] == ['9.png']
    assert "split: the dataset's own" in told and '(--val is not used)' in told
    assert 'note: no box in val of 1 classes: cat' in told


def test_images_of_another_file_system_are_copied(desk, voc, tmp_path, monkeypatch):
    def no_link(source, target):
        raise OSError(18, 'Invalid cross-device link')

    monkeypatch.setattr(os, 'link', no_link)
    status, told = desk('make', '--from', 'voc', voc, '--out', 'task')
    assert 'images: 10 copies, since they lie on another file system' in told
    copy, image = tmp_path / 'task/in/assets/0.png', voc / 'JPEGImages/0.png'
    assert copy.read_bytes() == image.read_bytes() and not os.path.samefile(copy, image)


def test_a_link_is_to_the_image_and_not_to_a_link(desk, tmp_path):
    image = write_image(tmp_path / 'store/1.jpg', SIZE)
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos/1.jpg').symlink_to(image)
    arguments = ('--task', 'mining', '--set', 'mining_algorithm=random')
    assert desk('make', '--from', 'images', 'photos', '--out', 'task', *arguments)[0] == 0
    copy = tmp_path / 'task/in/assets/1.jpg'
    assert os.path.samefile(copy, image) and not copy.is_symlink()


def test_names_that_an_index_cannot_hold(desk, tmp_path, monkeypatch):
    names = ['a\tb.png', 'a\nb.png', 'a\rb.png', os.fsdecode(b'a\xffb.png')]
    for name in names:
        write_image(tmp_path / 'photos' / name, SIZE)
    write_image(tmp_path / 'b.png ', SIZE)
    arguments = ('--task', 'mining', '--set', 'mining_algorithm=random')
    status, told = desk('make', '--from', 'images', 'photos', 'b.png ', '--out', 'task', *arguments)
    assert status == 0, told
    job_of(tmp_path / 'task', monkeypatch)
    assert names_in(tmp_path / 'task/in/assets') == ['a_b.png', 'a_b_2.png', 'a_b_3.png', 'b.png', 'photos_a_b.png']


def test_a_folder_that_moves_is_the_same_task(desk, voc, tmp_path, monkeypatch):
    desk('make', '--from', 'voc', voc, '--out', 'task')
    (tmp_path / 'task').rename(tmp_path / 'moved')
    job_of(tmp_path / 'moved', monkeypatch)


# --- models ---------------------------------------------------------------------------------------------------------


def trained(root: Path) -> Path:
    """A task that has been run, and left two stages of which the second is the best."""
    for stage in ('epoch_1', 'epoch_2'):
        for name in (f'{stage}.pth', 'net.py'):
            file = root / 'out/models' / stage / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b'a part of a model')
    stages = {stage: {'files': [f'{stage}.pth', 'net.py']} for stage in ('epoch_1', 'epoch_2')}
    text = yaml.safe_dump({'best_stage_name': 'epoch_2', 'model_stages': stages})
    (root / 'out/models/result.yaml').write_text(text)
    return root


@pytest.mark.parametrize('place', ['trained', 'trained/out/models/epoch_2'])
def test_the_model_of_a_task_or_of_a_stage(desk, voc, tmp_path, monkeypatch, place):
    trained(tmp_path / 'trained')
    status, told = desk('make', '--from', 'voc', voc, '--out', 'task', '--weights', place)
    assert status == 0, told
    training = job_of(tmp_path / 'task', monkeypatch).training
    assert sorted(file.name for file in training.model_files) == ['epoch_2.pth', 'net.py']
    assert training.config_file == 'net.py'
    assert 'model: epoch_2.pth, net.py, config_file net.py' in told


def test_weights_whose_name_says_of_which_detector_they_are(desk, voc, tmp_path, monkeypatch):
    (tmp_path / 'yolox_nano_coco.pth').write_bytes(b'weights')
    desk('make', '--from', 'voc', voc, '--out', 'task', '--weights', 'yolox_nano_coco.pth')
    training = job_of(tmp_path / 'task', monkeypatch).training
    assert training.config_file == 'configs/yolox/yolox_nano_8x8_300e_coco.py'
    desk(
        'make', '--from', 'voc', voc, '--out', 'other', '--weights', 'yolox_nano_coco.pth', '--set', 'config_file=x.py'
    )
    assert job_of(tmp_path / 'other', monkeypatch).training.config_file == 'x.py'


# --- what is refused ------------------------------------------------------------------------------------------------

VOC = ('make', '--from', 'voc', 'data', '--out', 'task')
PHOTOS = ('make', '--from', 'images', 'data/JPEGImages', '--out', 'task', '--task')


@pytest.mark.parametrize(
    'arguments, parts',
    [
        ((), ['the following arguments are required']),
        (('make', '--from', 'pascal', 'data', '--out', 'task'), ["invalid choice: 'pascal'", 'voc']),
        ((*VOC, '--set', 'max_epochs'), ["--set 'max_epochs': expected key=value"]),
        ((*VOC, '--set', 'max_epoch=3'), ['--set max_epoch: no parameter of training', 'use one of max_epochs']),
        ((*VOC, '--set', 'max_epochs=many'), ['max_epochs must be a whole number of at least 1', "found 'many'"]),
        ((*VOC, '--set', 'gpu_id=0'), ['--set gpu_id: say --gpu']),
        ((*VOC, '--set', 'export_format=ark:raw'), ['annotations are written as coco:raw']),
        ((*VOC, '--gpu', 'all'), ['--gpu must be GPU numbers', "found 'all'"]),
        ((*VOC, '--val', '1'), ['--val must be above 0 and below 1', 'found 1']),
        ((*VOC, '--classes', 'a,a'), ['--classes must be different names', "found 'a,a'"]),
        ((*VOC, '--weights', 'gone.pth'), ['gone.pth is not there']),
        ((*VOC, '--weights', 'empty'), ['--weights empty holds no file']),
        ((*VOC, '--weights', 'a.pth', 'b/a.pth'), ['--weights names several files called a.pth']),
        ((*VOC, '--weights', 'unrun'), ['--weights unrun is a task that has left no model']),
        ((*VOC, '--weights', 'torn'), ['--weights torn', 'result.yaml lists no stage']),
        ((*VOC, '--images', 'gone'), ['gone is not there']),
        (('make', '--from', 'voc', 'gone', '--out', 'task'), ['gone is not there']),
        (('make', '--from', 'voc', 'data', '--out', 'data'), ['--out data is there already']),
        (('make', '--from', 'voc', 'data', '--out', 'data/task'), ['--out data/task lies in data']),
        (('make', '--from', 'voc', 'data', 'b', '--out', 'task'), ['--from voc takes one folder']),
        (('make', '--from', 'yolo', 'data', 'b', '--out', 'task'), ['--from yolo takes one data.yaml']),
        ((*PHOTOS, 'training'), ['--from images has no boxes to train on']),
        ((*PHOTOS, 'infer'), ['--task infer needs a model']),
        ((*PHOTOS, 'mining'), ['--task mining needs a model']),
        ((*PHOTOS, 'mining+infer', '--set', 'mining_algorithm=random'), ['needs a model']),
        ((*PHOTOS, 'infer', '--weights', 'weights.pth'), ['the weights do not name their classes', '--classes']),
        (('check', 'data'), ['data is no task folder']),
        (('run', 'gone'), ['gone is no task folder']),
    ],
)
def test_what_is_called_wrongly(desk, voc, tmp_path, arguments, parts):
    for file in ('a.pth', 'b/a.pth', 'empty/of/files', 'unrun/in/env.yaml', 'torn/out/models/result.yaml'):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b'')
    if 'weights.pth' in arguments:
        import torch

        torch.save({'a': torch.zeros(1)}, str(tmp_path / 'weights.pth'))
    status, told = desk(*arguments)
    assert status == 2
    assert all(part in told for part in parts), told
    assert not (tmp_path / 'task').exists()


@pytest.mark.parametrize(
    'arguments, parts',
    [
        ((*VOC, '--classes', 'bird'), ['no class of the dataset is called bird: choose among cat, dog']),
        ((*PHOTOS, 'infer', '--weights', 'a.pth'), ['a.pth']),
        (('make', '--from', 'images', 'empty', '--out', 'task', '--task', 'infer', '--weights', 'a.pth'), ['no image']),
    ],
)
def test_what_is_wrong_with_the_data(desk, voc, tmp_path, arguments, parts):
    (tmp_path / 'a.pth').write_bytes(b'no weights')
    (tmp_path / 'empty').mkdir()
    status, told = desk(*arguments)
    assert status == 1
    assert all(part in told for part in parts), told
    assert not (tmp_path / 'task').exists()


def test_an_annotation_is_mended_where_it_is(desk, voc):
    (voc / 'Annotations/0.xml').write_text('<annotation>')
    status, told = desk(*VOC)
    assert status == 1
    assert 'data/Annotations/0.xml:1: expected VOC xml' in told
    assert told.endswith('): mend it there, or take it out\n')


def test_one_image_cannot_be_divided(desk, tmp_path):
    write_voc(tmp_path / 'data', IMAGES[:1], split=False)
    assert desk(*VOC) == (2, desk(*VOC)[1])
    assert 'one image cannot be divided' in desk(*VOC)[1]


def test_what_fails_leaves_nothing_behind(desk, voc, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, 'No space left on device', 'train-index.tsv')

    monkeypatch.setattr('desk.write.write_index', full)
    status, told = desk(*VOC)
    assert status == 1
    assert 'train-index.tsv cannot be written or read (No space left on device)' in told
    assert not (tmp_path / 'task').exists()
    assert len(list(voc.rglob('*.png'))) == 10


def test_the_image_s_name_is_the_project_s_version():
    project = (REPOSITORY / 'pyproject.toml').read_text(encoding='utf-8')
    assert f'version = "{IMAGE.partition(":")[2]}"' in project


def test_help_names_every_layout_and_column(desk):
    status, told = desk('make', '--help')
    assert status == 0
    from desk.layouts import LAYOUTS
    from desk.layouts.csv_table import COLUMNS

    for word in (*LAYOUTS, *(name for names in COLUMNS.values() for name in names)):
        assert word in told
