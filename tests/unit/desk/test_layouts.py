"""What is special in each layout, and all that may be wrong in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from desk.layouts import LAYOUTS
from desk.layouts.dataset import parts_of
from desk.load import Loaded, load_samples
from executor.contract.annotations.records import TrueBox
from executor.contract.errors import ConfigError, DatasetError
from tests.support.layouts import Labelled, write_coco, write_csv, write_image, write_voc, write_yolo
from tests.support.refusal import refusal

SIZE = (100, 50)
CAT, DOG = ('cat', (10, 5, 30, 25)), ('dog', (50, 10, 90, 40))
PAIR = [Labelled('a.png', SIZE, [CAT, DOG]), Labelled('b.png', SIZE, [DOG], 'val')]


def load(layout: str, *data: Path, images: Path | None = None, classes=None) -> Loaded:
    return load_samples(LAYOUTS[layout](data, images), classes)


def boxes_of(loaded: Loaded) -> Dict[str, List[Tuple]]:
    """The boxes of each image, with class names."""
    return {
        sample.image.name: [(loaded.class_names[box.label], *box[1:5], box.ignore) for box in sample.boxes]
        for sample in loaded.samples
    }


def parts(loaded: Loaded) -> Dict[str, str]:
    return {sample.image.name: sample.part for sample in loaded.samples}


# --- all of them ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=['coco', 'voc', 'yolo', 'csv'])
def write(request, tmp_path):
    """(layout, a function that writes images in it)."""
    writers = {
        'coco': lambda images: write_coco(tmp_path, images, ('cat', 'dog')),
        'voc': lambda images: write_voc(tmp_path, images),
        'yolo': lambda images: write_yolo(tmp_path, images, ('cat', 'dog')),
        'csv': lambda images: write_csv(tmp_path, images),
    }
    return request.param, writers[request.param]


def test_names_with_blanks_and_letters_of_any_script(write):
    layout, writer = write
    names = ['ein Bild.png', '图像 1.jpg', 'é, & <b>.JPG']
    parts_ = ['train', 'train', 'val']
    loaded = load(layout, writer([Labelled(name, SIZE, [CAT], part) for name, part in zip(names, parts_)]))
    assert boxes_of(loaded) == {name: [('cat', 10, 5, 30, 25, False)] for name in names}
    assert parts(loaded) == dict(zip(names, parts_))


def test_line_ends_of_windows_and_a_mark_at_the_start(write, tmp_path):
    layout, writer = write
    expected = boxes_of(load(layout, writer(PAIR)))
    for file in [file for file in tmp_path.rglob('*') if file.suffix in ('.txt', '.csv', '.yaml', '.xml', '.json')]:
        text = file.read_text(encoding='utf-8').replace('\r\n', '\n').replace('\n', '\r\n')
        file.write_bytes(('\ufeff' + text).encode('utf-8'))
    assert boxes_of(load(layout, tmp_path)) == expected
    assert expected['a.png'] == [('cat', 10, 5, 30, 25, False), ('dog', 50, 10, 90, 40, False)]


def test_what_is_left_out_is_counted_with_the_first_case(write, tmp_path):
    layout, writer = write
    outside, thin = ('dog', (150, 10, 190, 40)), ('cat', (10, 10, 10, 30))
    images = [*PAIR, Labelled('c.png', SIZE, [CAT, outside, thin]), Labelled('gone.png', SIZE, [CAT])]
    images += [Labelled('broken.png', SIZE, [CAT])]
    if layout == 'yolo':  # whose corners may not be that far away
        images[2] = Labelled('c.png', SIZE, [CAT, ('dog', (110, 10, 130, 40)), thin])
    writer(images)
    (gone,), (broken,) = tmp_path.rglob('gone.png'), tmp_path.rglob('broken.png')
    gone.unlink()
    broken.write_bytes(b'no image')
    loaded = load(layout, tmp_path)
    assert boxes_of(loaded)['c.png'] == [('cat', 10, 5, 30, 25, False)]
    assert loaded.boxes_left_out.left_out == {'no area': 1, 'wholly outside of the image': 1}
    assert 'c.png' in loaded.boxes_left_out.first['wholly outside of the image']
    left_out = dict(loaded.images_left_out.left_out)
    assert left_out.pop('no image that can be decoded') == 1
    # A folder of images does not know what it lacks.
    assert list(left_out.values()) == ([] if layout == 'yolo' else [1])
    assert all('gone' in loaded.images_left_out.first[reason] for reason in left_out)


def test_some_classes_in_an_order_of_their_own(write):
    layout, writer = write
    loaded = load(layout, writer(PAIR), classes=('dog',))
    assert loaded.class_names == ('dog',)
    assert boxes_of(loaded) == {'a.png': [('dog', 50, 10, 90, 40, False)], 'b.png': [('dog', 50, 10, 90, 40, False)]}
    assert loaded.boxes_left_out.left_out == {'not of --classes': 1}


def test_a_class_that_is_not_there(write):
    layout, writer = write
    root = writer(PAIR)
    told = refusal(DatasetError, load, layout, root, classes=('cat', 'bird'))
    assert told == 'no class of the dataset is called bird: choose among cat, dog (--classes)'


def test_no_box_at_all(write, tmp_path):
    layout, writer = write
    writer([Labelled('a.png', SIZE, [('cat', (10, 10, 10, 30))]), Labelled('b.png', SIZE, [], 'val')])
    told = refusal(DatasetError, load, layout, tmp_path)
    assert told.startswith('none of the 2 images has a box of cat')
    assert '1 left out: no area' in told


def test_no_image_at_all(write, tmp_path):
    layout, writer = write
    writer(PAIR)
    for image in tmp_path.rglob('*.png'):
        image.unlink()
    told = refusal(DatasetError, load, layout, tmp_path)
    assert '.png' in told or (layout == 'voc' and '2 no image in' in told), told


# --- COCO -----------------------------------------------------------------------------------------------------------


def coco(tmp_path: Path, **changes) -> Path:
    content = {
        'images': [{'id': 1, 'file_name': 'a.png'}],
        'annotations': [{'id': 1, 'image_id': 1, 'category_id': 7, 'bbox': [10.5, 5.25, 20, 20.75], 'iscrowd': 1}],
        'categories': [{'id': 9, 'name': 'dog'}, {'id': 7, 'name': 'cat'}],
        **changes,
    }
    file = tmp_path / 'some.json'
    file.write_text(json.dumps(content), encoding='utf-8')
    return file


def test_coco_keeps_crowds_parts_of_pixels_and_the_order_of_its_categories(tmp_path):
    write_image(tmp_path / 'a.png', SIZE)
    loaded = load_samples(LAYOUTS['coco']([coco(tmp_path)], None), None)
    assert loaded.class_names == ('dog', 'cat')
    assert boxes_of(loaded) == {'a.png': [('cat', 10.5, 5.25, 30.5, 26.0, True)]}
    assert loaded.split == ''


@pytest.mark.parametrize('place', ['', 'images', '../images', '../some', '../images/some'])
def test_coco_s_images_are_found(tmp_path, place):
    file = coco(tmp_path)
    folder = tmp_path / 'annotations'
    folder.mkdir()
    file = file.rename(folder / 'instances_some.json')
    image = write_image(folder / place / 'a.png', SIZE)
    (sample,) = load('coco', file).samples
    assert os.path.samefile(sample.image, image)


def test_coco_s_images_by_name(tmp_path):
    image = write_image(tmp_path / 'elsewhere' / 'a.png', SIZE)
    (sample,) = load('coco', coco(tmp_path), images=tmp_path / 'elsewhere').samples
    assert sample.image == image


@pytest.mark.parametrize(
    'changes, parts_',
    [
        ({'categories': []}, ['some.json: no entry under categories']),
        ({'images': 3}, ['some.json', "'images'"]),
        ({'annotations': [{'id': 1, 'image_id': 5, 'category_id': 7, 'bbox': [0, 0, 1, 1]}]}, ['annotations[0]', '5']),
        (
            {'annotations': [{'id': 1, 'image_id': 1, 'category_id': 7, 'bbox': [0, 0, 1]}]},
            ['bbox [x, y, width, height'],
        ),
        ({'images': [{'id': 1, 'file_name': 'no.png'}]}, ['no.png, the first image of', '--images FOLDER']),
    ],
)
def test_what_may_be_wrong_in_coco(tmp_path, changes, parts_):
    write_image(tmp_path / 'a.png', SIZE)
    told = refusal(DatasetError, load, 'coco', coco(tmp_path, **changes))
    assert all(part in told for part in parts_), told


@pytest.mark.parametrize('layout', ['coco', 'yolo', 'csv'])
def test_images_to_test_with_are_told(tmp_path, layout):
    if layout == 'yolo':
        yolo(tmp_path, yaml='names: [cat]\ntrain: images\ntest: images\n')
        expected = f'the images under test in {tmp_path}/data.yaml are not used'
    elif layout == 'coco':
        write_image(tmp_path / 'a.png', SIZE)
        coco(tmp_path)
        (tmp_path / 'test.json').write_text('{}')
        expected = f'{tmp_path}/test.json is not used: by its name it is to test with'
    else:
        write_image(tmp_path / 'a.png', SIZE)
        (tmp_path / 'train.csv').write_text('a.png,1,2,3,4,cat\n')
        (tmp_path / 'test.csv').write_text('')
        expected = f'{tmp_path}/test.csv is not used: by its name it is to test with'
    assert load(layout, tmp_path).warnings == [expected]


def test_a_folder_without_coco(tmp_path):
    assert 'a COCO json is not there, looked for at' in refusal(DatasetError, load, 'coco', tmp_path)


@pytest.mark.parametrize(
    'files, expected',
    [
        (['a/instances_train2017.json', 'a/instances_val2017.json'], ['train', 'val']),
        (['train/_annotations.json', 'valid/_annotations.json', 'test/_annotations.json'], ['train', 'val', None]),
        (['first.csv', 'second.csv'], ['train', 'val']),
        (['only.csv'], ['']),
        (['val.csv'], ['']),
        (['test.csv'], ['']),
        (['a.json', 'b.json', 'c.json'], ['', '', '']),
    ],
)
def test_parts_of_files(files, expected):
    paths = [Path(file) for file in files]
    assert [parts_of(paths).get(path) for path in paths] == expected


# --- VOC ------------------------------------------------------------------------------------------------------------


def test_voc_keeps_difficult_objects(tmp_path):
    write_voc(tmp_path, PAIR)
    file = tmp_path / 'Annotations/b.xml'
    file.write_text(file.read_text().replace('</object>', '<difficult>1</difficult></object>'))
    assert boxes_of(load('voc', tmp_path))['b.png'] == [('dog', 50, 10, 90, 40, True)]


def test_voc_inside_of_another_folder_and_beside_the_images(tmp_path):
    write_voc(tmp_path / 'VOCdevkit/VOC2012', PAIR, split=False)
    loaded = load('voc', tmp_path / 'VOCdevkit')
    flat = tmp_path / 'flat'
    flat.mkdir()
    for file in (tmp_path / 'VOCdevkit').rglob('*.*'):
        file.rename(flat / file.name)
    assert boxes_of(load('voc', flat)) == boxes_of(loaded) != {}
    assert loaded.split == ''


@pytest.mark.parametrize(
    'lists, expected, split',
    [
        ({'train': 'a\n', 'val': 'b\n', 'trainval': 'a\nb\nc\n'}, {'a.png': 'train', 'b.png': 'val'}, True),
        ({'trainval': 'a\nc\n', 'test': 'b\n'}, {'a.png': '', 'c.png': ''}, False),
        ({'train': 'c\r\n\r\n'}, {'c.png': ''}, False),
        ({'test': 'b\n'}, {'a.png': '', 'b.png': '', 'c.png': ''}, False),
    ],
)
def test_voc_s_lists_of_images(tmp_path, lists, expected, split):
    write_voc(tmp_path, [*PAIR, Labelled('c.png', SIZE, [CAT])], split=False)
    folder = tmp_path / 'ImageSets/Main'
    folder.mkdir(parents=True)
    for name, text in lists.items():
        (folder / f'{name}.txt').write_text(text)
    loaded = load('voc', tmp_path)
    assert parts(loaded) == expected
    assert bool(loaded.split) == split
    assert loaded.images_left_out.left_out['not listed in ImageSets/Main'] == 3 - len(expected)


def test_voc_tells_of_images_without_xml_and_of_two_with_one_name(tmp_path):
    write_voc(tmp_path, PAIR, split=False)
    for name in ('z.png', 'a.jpg'):
        write_image(tmp_path / 'JPEGImages' / name, SIZE)
    left_out = load('voc', tmp_path).images_left_out
    assert left_out.left_out == {
        'another image has the name but for its ending': 1,
        f'no xml in {tmp_path}/Annotations': 1,
    }


def test_what_may_be_wrong_in_voc(tmp_path):
    write_voc(tmp_path, PAIR)
    file = tmp_path / 'Annotations/a.xml'
    file.write_text('<annotation>\n<object>')
    assert f'{file}:2: expected VOC xml' in refusal(DatasetError, load, 'voc', tmp_path)
    file.write_text('<annotation><object><name>cat</name></object></annotation>')
    assert f'{file}, object 1: expected' in refusal(DatasetError, load, 'voc', tmp_path)
    assert 'holds no .xml file' in refusal(DatasetError, load, 'voc', tmp_path / 'JPEGImages')


# --- YOLO -----------------------------------------------------------------------------------------------------------


def yolo(tmp_path: Path, labels: str = '', yaml: str = 'names: [cat, dog]\ntrain: images\n') -> Path:
    write_image(tmp_path / 'images/a.png', SIZE)
    write_image(tmp_path / 'images/b.png', SIZE)
    (tmp_path / 'labels').mkdir(exist_ok=True)
    (tmp_path / 'labels/a.txt').write_text(labels)
    (tmp_path / 'labels/b.txt').write_text('0 0.5 0.5 1 1\n')
    (tmp_path / 'data.yaml').write_text(yaml)
    return tmp_path


def test_yolo_s_polygons_become_the_boxes_around_them(tmp_path):
    loaded = load('yolo', yolo(tmp_path, '1 0.5 0.2 0.9 0.4 0.6 0.8\n\n0 0.2 0.3 0.2 0.4\n'))
    assert boxes_of(loaded)['a.png'] == [('dog', 50, 10, 90, 40, False), ('cat', 10, 5, 30, 25, False)]


def test_yolo_s_image_without_labels_has_no_objects(tmp_path):
    root = yolo(tmp_path)
    (root / 'labels/a.txt').unlink()
    assert boxes_of(load('yolo', root)) == {'a.png': [], 'b.png': [('cat', 0, 0, 100, 50, False)]}


@pytest.mark.parametrize(
    'yaml',
    [
        'names: {0: cat, 1: dog}\ntrain: images\n',
        'names: [cat, dog]\ntrain: ../images\nval: ../images\n',  # as Roboflow writes it
        'path: ..\nnames: [cat, dog]\ntrain: [images]\n',
        'names: [cat, dog]\ntrain: list.txt\n',
    ],
)
def test_how_yolo_names_its_images(tmp_path, yaml):
    root = yolo(tmp_path, yaml=yaml)
    (root / 'list.txt').write_text('./images/a.png\n\nimages/b.png\n')
    loaded = load('yolo', root)
    assert {sample.image.name for sample in loaded.samples} == {'a.png', 'b.png'}
    assert loaded.class_names == ('cat', 'dog')
    assert bool(loaded.split) == ('val' in yaml)


def test_yolo_without_data_yaml(tmp_path):
    root = yolo(tmp_path)
    (root / 'data.yaml').unlink()
    (root / 'classes.txt').write_text('cat\ndog\n')
    assert boxes_of(load('yolo', root))['b.png'] == [('cat', 0, 0, 100, 50, False)]


def test_yolo_s_class_that_has_no_name_is_left_out(tmp_path):
    loaded = load('yolo', yolo(tmp_path, '2 0.5 0.5 0.1 0.1\n'))
    assert loaded.boxes_left_out.left_out == {'class number is none of names, 0 to 1': 1}
    assert loaded.boxes_left_out.first['class number is none of names, 0 to 1'] == f'{tmp_path}/labels/a.txt:1'


@pytest.mark.parametrize(
    'line', ['0 10 20 30 40', '0 0.5 0.5 0.1', '0 0.1 0.1 0.1 0.1 0.9', 'cat 0.5 0.5 0.1 0.1', '0 nan 0 1 1']
)
def test_what_may_be_wrong_in_yolo_s_labels(tmp_path, line):
    told = refusal(DatasetError, load, 'yolo', yolo(tmp_path, f'0 0.5 0.5 0.1 0.1\n{line}\n'))
    assert f'{tmp_path}/labels/a.txt:2: expected class x y width height' in told and repr(line) in told


@pytest.mark.parametrize(
    'kind, yaml, parts_',
    [
        (DatasetError, 'names: [cat]\n', ['data.yaml: no key train']),
        (
            DatasetError,
            'names: [cat]\ntrain: pictures\n',
            ["data.yaml:2: train: 'pictures'", 'is not there, looked for at'],
        ),
        (DatasetError, 'names: [cat]\ntrain: labels\n', ['labels', 'holds no image']),
        (ConfigError, 'train: images\n', ['data.yaml: names must be a list of names']),
        (ConfigError, 'train: images\nnames: [cat, no]\n', ['data.yaml:2: names must be']),
        (ConfigError, 'train: images\nnames: {0: cat, 2: dog}\n', ['data.yaml:2: names must be', 'from 0 to 1']),
        (ConfigError, 'train: [images\n', ['data.yaml:2: not valid YAML']),
    ],
)
def test_what_may_be_wrong_in_data_yaml(tmp_path, kind, yaml, parts_):
    told = refusal(kind, load, 'yolo', yolo(tmp_path, yaml=yaml))
    assert all(part in told for part in parts_), told


def test_a_folder_without_yolo(tmp_path):
    assert 'data.yaml is not there, looked for at' in refusal(DatasetError, load, 'yolo', tmp_path)


# --- CSV ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'text',
    [
        'image,xmin,ymin,xmax,ymax,class\na.png,10,5,30,25,cat\na.png,50.0,10.0,90.0,40.0,dog\nb.png,,,,,\n',
        'a.png,10,5,30,25,cat\na.png,50,10,90,40,dog\nb.png,,,,,\n',
        'Label;Filename;x1;y1;x2;y2\ncat;a.png;10;5;30;25\ndog;a.png;50;10;90;40\n;b.png\n',
        'class_name\tpath\tleft\ttop\tright\tbottom\ncat\ta.png\t10\t5\t30\t25\ndog\t"a.png"\t50\t10\t90\t40\n\tb.png\n',
    ],
)
def test_tables_of_several_forms(tmp_path, text):
    for name in ('a.png', 'b.png'):
        write_image(tmp_path / name, SIZE)
    (tmp_path / 'boxes.csv').write_text(text)
    loaded = load('csv', tmp_path / 'boxes.csv')
    assert boxes_of(loaded) == {'a.png': [('cat', 10, 5, 30, 25, False), ('dog', 50, 10, 90, 40, False)], 'b.png': []}


def test_a_table_with_paths_of_windows(tmp_path):
    write_image(tmp_path / 'some/a.png', SIZE)
    (tmp_path / 'boxes.csv').write_text('some\\a.png,10,5,30,25,cat\n')
    assert boxes_of(load('csv', tmp_path / 'boxes.csv')) == {'a.png': [('cat', 10, 5, 30, 25, False)]}


@pytest.mark.parametrize(
    'text, parts_',
    [
        ('image,xmin,ymin,xmax,class\n', ['boxes.csv:1: the header has no column ymax (or y_max, y2, bottom)']),
        (
            'image,xmin,ymin,xmax,ymax,class\na.png,1,2,x,4,cat\n',
            ['boxes.csv:2: expected image,xmin', "'a.png,1,2,x,4,cat'"],
        ),
        ('image,xmin,ymin,xmax,ymax,class\na.png,1,2,3,4,\n', ['boxes.csv:2: expected']),
        ('image,xmin,ymin,xmax,ymax,class\n,1,2,3,4,cat\n', ['boxes.csv:2: expected']),
        ('image,xmin,ymin,xmax,ymax,class\n', ['boxes.csv holds no row']),
        ('a.png,1,2,3,4\n', ['boxes.csv:1: the header has no column']),
        (b'a.png,1,2,3,4,\xff\n', ['boxes.csv is not UTF-8 text (byte 14)']),
    ],
)
def test_what_may_be_wrong_in_a_table(tmp_path, text, parts_):
    write_image(tmp_path / 'a.png', SIZE)
    (tmp_path / 'boxes.csv').write_bytes(text if isinstance(text, bytes) else text.encode())
    told = refusal(DatasetError, load, 'csv', tmp_path / 'boxes.csv')
    assert all(part in told for part in parts_), told


def test_a_folder_without_tables(tmp_path):
    assert 'holds no .csv file' in refusal(DatasetError, load, 'csv', tmp_path)


# --- classes --------------------------------------------------------------------------------------------------------


def test_classes_that_differ_by_case_are_told(tmp_path):
    loaded = load('yolo', yolo(tmp_path, yaml='names: [cat, Cat, dog]\ntrain: images\n'))
    assert loaded.warnings == ['classes that differ by case alone are two: cat and Cat']


def test_classes_that_differ_by_blanks_are_refused(tmp_path):
    told = refusal(DatasetError, load, 'yolo', yolo(tmp_path, yaml="names: [red cat, 'red  cat']\ntrain: images\n"))
    assert told.startswith("the classes 'red cat' and 'red  cat' differ by blanks alone")


def test_blanks_around_a_name_are_no_part_of_it(tmp_path):
    write_image(tmp_path / 'a.png', SIZE)
    file = coco(tmp_path, categories=[{'id': 7, 'name': ' cat  two '}])
    loaded = load('coco', file)
    assert loaded.class_names == ('cat two',)
    assert loaded.samples[0].boxes == (TrueBox(0, 10.5, 5.25, 30.5, 26.0, True),)


def test_a_class_without_a_name(tmp_path):
    write_image(tmp_path / 'a.png', SIZE)
    assert 'is called' in refusal(DatasetError, load, 'coco', coco(tmp_path, categories=[{'id': 7, 'name': ' '}]))
