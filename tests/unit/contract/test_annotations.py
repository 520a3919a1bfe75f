from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from executor.contract import annotations
from executor.contract.annotations import FORMATS, read_records
from executor.contract.annotations.ark import read_ark
from executor.contract.annotations.coco import read_coco
from executor.contract.annotations.records import Record, Tally, TrueBox
from executor.contract.annotations.voc import read_voc
from executor.contract.errors import DatasetError
from executor.contract.index import IndexLine, read_training_index
from executor.contract.shown import shown
from tests.support.refusal import refusal

CLASSES = ('cat', 'dog', 'traffic light')


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding='utf-8')
    return path


def found_in(path: Path, read: Callable[..., object]) -> tuple[object, tuple[str, ...]]:
    """What the reader of a format finds in the file, and what it says of the boxes that it skips."""
    tally = Tally()
    return read(path, CLASSES, tally), tally.lines()


# --- ark: text lines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'text, boxes',
    [
        *((empty, []) for empty in ('', '\n  \n')),
        # The corners are inclusive: the width of 107..287 is 181, so x2 is 288.
        ('0, 107, 50, 287, 99', [TrueBox(0, 107, 50, 288, 100)]),
        ('2,107,50,287,99\n', [TrueBox(2, 107, 50, 288, 100)]),
        ('1 , 1 ,\t2 , 3 , 4 \r\n\r\n0,5,6,7,8\r\n', [TrueBox(1, 1, 2, 4, 5), TrueBox(0, 5, 6, 8, 9)]),
        ('0, 10, 20, 10, 20', [TrueBox(0, 10, 20, 11, 21)]),  # one pixel
        *((line, [TrueBox(0, 1, 2, 4, 5)]) for line in ('0, 1, 2, 3, 4, 0.5', '0, 1, 2, 3, 4, -1.0, 0.0')),
        ('0, -3, 0.5, 3.5, 4', [TrueBox(0, -3, 0.5, 4.5, 5)]),
    ],
)
def test_ark(tmp_path, text, boxes):
    assert found_in(write(tmp_path, 'a.txt', text), read_ark) == (tuple(boxes), ())


_EXPORT_AGAIN = 'export the dataset again, or set export_format to what its files are'
_A_LINE = ('expected class_id, xmin, ymin, xmax, ymax[, quality, angle]', _EXPORT_AGAIN)
_A_CLASS = (
    'class_id must be 0 to 2, a position in class_names (cat, dog, traffic light)',
    'export the dataset again with these classes',
)


@pytest.mark.parametrize(
    'line, wanted',
    [
        *((f'{class_id}, 1, 2, 3, 4', _A_CLASS) for class_id in ('3', '-1', '0.5')),
        *((f'{class_id}, 1, 2, 3, 4', _A_LINE) for class_id in ('cat', 'nan')),
        *((f'0, 1, {rest}', _A_LINE) for rest in ('2, 3', '2, 3, 4, 5, 6, 7', ', 3, 4', '2, inf, 4', '2, 1e308, 4')),
        ('0 1 2 3 4', _A_LINE),
    ],
)
def test_ark_with_a_wrong_line(tmp_path, line, wanted):
    expected, remedy = wanted
    path = write(tmp_path, 'a.txt', f'0, 1, 2, 3, 4\n\n{line}\n')
    told = refusal(DatasetError, read_ark, path, CLASSES, Tally())
    assert told == f'{path}:3: {expected}, found {line!r}: {remedy}'


def test_ark_that_is_no_text(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_bytes(b'0, 1, 2, 3, 4\n\x89PNG')
    told = refusal(DatasetError, read_ark, path, CLASSES, Tally())
    assert told.startswith(f'{path}: expected text lines of class_id, xmin, ymin, xmax, ymax')
    assert told.endswith(f'at position 14: {_EXPORT_AGAIN}')


def test_ark_boxes_without_area_are_counted(tmp_path):
    path = write(tmp_path, 'a.txt', '0, 5, 5, 4, 9\n0, 5, 5, 5, 5\n1, 5, 5, 9, 3\n')
    told = (f'2 boxes skipped: no area, first {path}:1',)
    assert found_in(path, read_ark) == ((TrueBox(0, 5, 5, 6, 6),), told)


# --- voc: xml -------------------------------------------------------------------------------------------------------


def voc(*objects: str) -> str:
    return '<annotation><filename>a.jpg</filename><size><width>640</width></size>' + ''.join(objects) + '</annotation>'


def voc_object(name: str, *corners: object, more: str = '') -> str:
    tags = zip(('xmin', 'ymin', 'xmax', 'ymax'), corners)
    bndbox = ''.join(f'<{tag}>{value}</{tag}>' for tag, value in tags)
    return f'<object><name>{name}</name><bndbox>{bndbox}</bndbox>{more}</object>'


CAT = voc_object('cat', 1, 2, 3, 4)
LIGHT = voc_object('traffic light', 1, 2, 3, 4)
OTHER_ORDER = (
    '<object><part><name>tail</name><bndbox><xmin>9</xmin></bndbox></part><name>cat</name>'
    '<bndbox><ymax>4</ymax><xmax>3</xmax><ymin>2</ymin><xmin>1</xmin></bndbox></object>'
)


@pytest.mark.parametrize(
    'text, boxes',
    [
        *((empty, []) for empty in ('', ' \n', voc())),
        (voc(voc_object('cat', 107, 50, 287, 99)), [TrueBox(0, 107, 50, 288, 100)]),
        (voc(LIGHT, voc_object(' dog\n', 5, 6, 7, 8)), [TrueBox(2, 1, 2, 4, 5), TrueBox(1, 5, 6, 8, 9)]),
        (voc(voc_object('cat', '1.5', ' 2 ', '3', '4e0')), [TrueBox(0, 1.5, 2, 4, 5)]),
        (voc(voc_object('cat', 1, 2, 3, 4, more='<difficult>0</difficult>')), [TrueBox(0, 1, 2, 4, 5, ignore=False)]),
        *(
            (voc(voc_object('cat', 1, 2, 3, 4, more=f'<difficult>{yes}</difficult>')), [TrueBox(0, 1, 2, 4, 5, True)])
            for yes in (' 1 ', 'True')
        ),
        (voc(OTHER_ORDER), [TrueBox(0, 1, 2, 4, 5)]),
        (f'<?xml version="1.0" encoding="utf-8"?>\n{voc(CAT)}', [TrueBox(0, 1, 2, 4, 5)]),
    ],
)
def test_voc(tmp_path, text, boxes):
    assert found_in(write(tmp_path, 'a.xml', text), read_voc) == (tuple(boxes), ())


def test_voc_in_the_encoding_it_declares(tmp_path):
    path = tmp_path / 'a.xml'
    text = '<?xml version="1.0" encoding="{}"?>' + voc(voc_object('Café', 1, 2, 3, 4))
    for encoding in ('utf-8', 'latin-1', 'utf-16'):
        path.write_bytes(text.format(encoding).encode(encoding))
        assert read_voc(path, ('Café',), Tally()) == (TrueBox(0, 1, 2, 4, 5),)


def test_voc_other_classes_and_boxes_without_area_are_counted(tmp_path):
    others = [voc_object(name, 1, 2, 3, 4) for name in ('Cat', 'bird')]
    flat = [voc_object('dog', *corners) for corners in ((9, 2, 8, 4), (1, 5, 3, 4))]
    path = write(tmp_path, 'a.xml', voc(CAT, *others, *flat))
    boxes, told = found_in(path, read_voc)
    assert boxes == (TrueBox(0, 1, 2, 4, 5),)
    assert told == (
        f'2 boxes skipped: class not in class_names, first {path}, object 2: Cat',
        f'2 boxes skipped: no area, first {path}, object 4',
    )


@pytest.mark.parametrize(
    'text, message',
    [
        ('<annotation>\n<object>\n</annotation>', ':3: expected VOC xml (mismatched tag'),
        ('{"images": []}', ':1: expected VOC xml ('),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', ': expected VOC xml ('),
        (voc(CAT, '<object><bndbox/></object>'), ', object 2: expected <name> with one of the classes, found none'),
        (voc(voc_object(' ', 1, 2, 3, 4)), ', object 1: expected <name> with one of the classes, found none'),
        (voc(voc_object('cat', 1, 2, 3)), ', object 1: expected a number in <bndbox><ymax>, found None'),
        (voc(voc_object('cat', 1, '', 3, 4)), ", object 1: expected a number in <bndbox><ymin>, found ''"),
        (voc(voc_object('cat', 'left', 2, 3, 4)), ", object 1: expected a number in <bndbox><xmin>, found 'left'"),
        (voc(voc_object('cat', 1, 2, 'nan', 4)), ", object 1: expected a number in <bndbox><xmax>, found 'nan'"),
        (voc('<object><name>cat</name></object>'), ', object 1: expected a number in <bndbox><xmin>, found None'),
        (voc(voc_object('cat', 1, 2, '1e308', 4)), ", object 1: expected a number in <bndbox><xmax>, found '1e308'"),
        (voc(CAT.replace('<bndbox>', '<name>dog</name><bndbox>')), ', object 1: expected one <name>, found 2'),
        (voc(CAT.replace('</name>', '</name><bndbox/>')), ', object 1: expected one <bndbox>, found 2'),
        (voc(CAT.replace('<ymin>', '<ymin>7</ymin><ymin>')), ', object 1: expected one <ymin>, found 2'),
        *(
            (voc(voc_object('cat', 1, 2, 3, 4, more=f'<difficult>{word}</difficult>')), f'<difficult>, found {word!r}')
            for word in ('2', 'perhaps')
        ),
        (voc(voc_object('cat', 1, 2, 3, 4, more='<difficult/>' * 2)), ', object 1: expected one <difficult>, found 2'),
        ('<html><object/></html>', ': expected VOC xml with <annotation>, found <html>: export'),
    ],
)
def test_voc_that_is_malformed(tmp_path, text, message):
    path = write(tmp_path, 'a.xml', text)
    told = refusal(DatasetError, read_voc, path, CLASSES, Tally())
    assert told.startswith(str(path))
    assert message in told


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16', 'utf-16-le'])
def test_voc_with_a_document_type_is_refused(tmp_path, encoding):
    path = tmp_path / 'a.xml'
    text = '\ufeff' if encoding == 'utf-16-le' else ''
    text += f'<?xml version="1.0" encoding="{encoding[:6].rstrip("-")}"?><!DOCTYPE a [<!ENTITY c "cat">]>'
    path.write_bytes((text + voc(voc_object('&c;', 1, 2, 3, 4))).encode(encoding))
    told = refusal(DatasetError, read_voc, path, CLASSES, Tally())
    assert told.startswith(f'{path}: document type declarations are not allowed')


# --- coco: one json -------------------------------------------------------------------------------------------------


def coco(annotations: list, categories: list | None = None, images: list | None = None) -> str:
    if images is None:
        images = [{'id': 7, 'file_name': 'a.jpg'}, {'id': 8, 'file_name': 'b.jpg'}]
    data = {'images': images, 'annotations': annotations}
    if categories is not None:
        data['categories'] = [{'id': key, 'name': name} for key, name in categories]
    return json.dumps(data, indent=1)


def coco_box(image_id: object, category_id: object, bbox: object, **more: object) -> dict:
    return {'id': 1, 'image_id': image_id, 'category_id': category_id, 'bbox': bbox, **more}


GOOD = coco_box(7, 0, [1, 2, 3, 4])
A_BOX = 'expected bbox [x, y, width, height]'
NO_BOX = ([1, 2, 3], None, [1, 2, '3', 4], [1, 2, math.nan, 4], [1, 2, 1e308, 4], [1, 2, 3, True])
A_JPG, B_JPG = {'id': 1, 'file_name': 'a.jpg'}, {'id': 2, 'file_name': 'b.jpg'}
ONE, ONES = "id '1' is that of", (1, '1', 1.0)


@pytest.mark.parametrize(
    'annotations, categories, expected',
    [
        *(([], categories, {'a.jpg': [], 'b.jpg': []}) for categories in (None, [(0, 'cat')])),
        # x, y, width, height: nothing is inclusive, 107 + 181 is 288.
        ([coco_box(7, 0, [107, 50, 181, 50])], None, {'a.jpg': [TrueBox(0, 107, 50, 288, 100)], 'b.jpg': []}),
        ([coco_box(8, 2, [1, 2, 3, 4])], None, {'a.jpg': [], 'b.jpg': [TrueBox(2, 1, 2, 4, 6)]}),
        # By name where the file names its categories, whatever their ids and order.
        (
            [coco_box(8, 18, [1, 2, 3, 4]), coco_box(7, 0, [5, 6, 7, 8]), coco_box(8, 3, [0.5, 0, 1, 1])],
            [(18, 'dog'), (0, 'traffic light'), (3, 'cat')],
            {'a.jpg': [TrueBox(2, 5, 6, 12, 14)], 'b.jpg': [TrueBox(1, 1, 2, 4, 6), TrueBox(0, 0.5, 0, 1.5, 1)]},
        ),
        (
            [coco_box(7, 0, [1, 2, 3, 4], iscrowd=1), coco_box(7, 0, [1, 2, 3, 4], iscrowd=0)],
            None,
            {'a.jpg': [TrueBox(0, 1, 2, 4, 6, ignore=True), TrueBox(0, 1, 2, 4, 6, ignore=False)], 'b.jpg': []},
        ),
    ],
)
def test_coco(tmp_path, annotations, categories, expected):
    boxes = {name: tuple(of_image) for name, of_image in expected.items()}
    assert found_in(write(tmp_path, 'c.json', coco(annotations, categories)), read_coco) == (boxes, ())


@pytest.mark.parametrize('categories, other', [(None, 'category_id 3'), ([(0, 'cat'), (3, 'bird')], 'bird')])
def test_coco_other_classes_and_boxes_without_area_are_counted(tmp_path, categories, other):
    others = [coco_box(image, 3, [1, 2, 3, 4]) for image in (7, 8)]
    empty = [coco_box(8, 0, bbox) for bbox in ([1, 2, 0, 4], [1, 2, 3, -4])]
    path = write(tmp_path, 'c.json', coco([GOOD, *others, *empty], categories))
    boxes, told = found_in(path, read_coco)
    assert boxes == {'a.jpg': (TrueBox(0, 1, 2, 4, 6),), 'b.jpg': ()}
    assert told == (
        f'2 boxes skipped: class not in class_names, first {path}: annotations[1] (id 1): {other}',
        f'2 boxes skipped: no area, first {path}: annotations[3] (id 1)',
    )


@pytest.mark.parametrize(
    'text, message',
    [
        ('', ':1: expected COCO json (Expecting value, column 1)'),
        ('{\n"images": [\n}', ':3: expected COCO json (Expecting value, column 1)'),
        ('[]', ': expected a COCO object with images and annotations, found list'),
        ('{"annotations": []}', ": expected a list of objects under 'images'"),
        ('{"images": [], "annotations": {}}', ": expected a list of objects under 'annotations'"),
        ('{"images": ["a.jpg"], "annotations": []}', ": expected a list of objects under 'images'"),
        (coco([], images=[{'id': 7}]), ": expected 'file_name', found None"),
        (coco([], images=[{'file_name': 'a.jpg'}]), ": expected 'id', found None"),
        (coco([], categories=[(None, 'cat')]), ": expected 'id', found None"),
        (coco([GOOD, {'category_id': 0}]), ": annotations[1] (id None): expected 'image_id', found None"),
        (coco([GOOD, coco_box(9, 0, [1, 2, 3, 4])]), ': annotations[1] (id 1): image_id 9 is not among images: '),
        (coco([GOOD, coco_box(7, None, [1, 2, 3, 4])]), ": annotations[1] (id 1): expected 'category_id', found None"),
        *((coco([coco_box(7, 0, bbox)]), f': annotations[0] (id 1): {A_BOX}, found {shown(bbox)}') for bbox in NO_BOX),
        (coco([coco_box(7, 5, [1, 2, 3, 4])], [(0, 'cat')]), 'category_id 5 is not among categories: export'),
        # Ids: 1, 1.0 and '1' are one, and true is none.
        *((coco([], [(1, 'cat'), (key, 'dog')]), f'categories[1]: {ONE} categories[0] already') for key in ONES),
        *((coco([], images=[A_JPG, {**B_JPG, 'id': key}]), f'images[1]: {ONE} images[0] already') for key in ONES),
        (coco([], [(1, 'cat'), (2, 'dog'), (3, 'cat')]), "categories[2]: name 'cat' is that of categories[0] already"),
        (coco([], images=[A_JPG, {'id': 2, 'file_name': 'a.jpg'}]), "file_name 'a.jpg' is that of images[0] already"),
        *((coco([], images=[{**A_JPG, 'id': key}]), f"images[0]: expected 'id', found {key}") for key in (True, 1.5)),
        (
            coco([coco_box(True, 0, [1, 2, 3, 4])], images=[A_JPG]),
            "annotations[0] (id 1): expected 'image_id', found True",
        ),
        (
            coco([coco_box(7, 0, [1, 2, 3, 4], iscrowd='1')]),
            "annotations[0] (id 1): expected iscrowd 0 or 1, found '1'",
        ),
        (coco([coco_box(7, 0, [1, 2, 3, 4], iscrowd=math.nan)]), 'expected iscrowd 0 or 1, found nan'),
        ('{"images": [{"id": 1, "id": 2, "file_name": "a"}]}', "the key 'id' is there twice in one object"),
        ('{"images": [], "annotations": [], "images": []}', "the key 'images' is there twice in one object"),
        (f'{{"images": [{{"id": {"9" * 5000}}}]}}', "images[0]: expected 'id', found inf"),
    ],
)
def test_coco_that_is_malformed(tmp_path, text, message):
    path = write(tmp_path, 'c.json', text)
    told = refusal(DatasetError, read_coco, path, CLASSES, Tally())
    assert told.startswith(str(path))
    assert message in told


# --- records of an index --------------------------------------------------------------------------------------------


def test_formats():
    assert FORMATS == ('ark:raw', 'det-ark:raw', 'voc:raw', 'det-voc:raw', 'coco:raw', 'det-coco:raw', 'seg-coco:raw')


@pytest.mark.parametrize('export_format', FORMATS)
def test_each_format_gives_the_same_records(tmp_path, export_format, caplog):
    """Two images in index order, the first without objects."""
    assert read_records([], export_format, CLASSES) == ()
    if 'ark' in export_format:
        files = [write(tmp_path, 'a.txt', ''), write(tmp_path, 'b.txt', '1, 107, 50, 287, 99\n')]
    elif 'voc' in export_format:
        files = [write(tmp_path, 'a.xml', ''), write(tmp_path, 'b.xml', voc(voc_object('dog', 107, 50, 287, 99)))]
    else:
        files = [write(tmp_path, 'c.json', coco([coco_box(8, 1, [107, 50, 181, 50])]))] * 2
    images = [Path('/in/assets/0a/a.jpg'), Path('/in/assets/0b/b.jpg')]
    lines = [IndexLine(image, file, 'i:1') for image, file in zip(images, files)]
    assert read_records(lines, export_format, CLASSES) == (
        Record(images[0], ()),
        Record(images[1], (TrueBox(1, 107, 50, 288, 100),)),
    )
    assert caplog.records == []


def test_one_sentence_for_each_reason(tmp_path):
    files = [
        write(tmp_path, 'a.xml', voc(voc_object('bird', 1, 2, 3, 4), voc_object('cat', 9, 2, 3, 4))),
        write(tmp_path, 'b.xml', voc(voc_object('fish', 1, 2, 3, 4), voc_object('cat', 1, 2, 3, 4))),
    ]
    lines = [IndexLine(Path(f'/in/{n}.jpg'), file, f'i:{n}') for n, file in enumerate(files)]
    tally = Tally()
    records = read_records(lines, 'voc:raw', CLASSES, tally)
    assert [record.boxes for record in records] == [(), (TrueBox(0, 1, 2, 4, 5),)]
    assert tally.lines() == (
        f'2 boxes skipped: class not in class_names, first {files[0]}, object 1: bird',
        f'1 boxes skipped: no area, first {files[0]}, object 2',
    )


def test_what_is_met_later_is_added_and_the_first_place_stays():
    tally, later = Tally(), Tally()
    tally.meet('cat')
    tally.leave_out('no area', 'a.txt', 1)
    for reason, place in (('no area', 'b.txt'), ('too small', 'c.txt'), ('too small', 'd.txt')):
        later.meet('dog')
        later.leave_out(reason, place)
    tally.add(later)
    assert tally.classes == {'cat': 1, 'dog': 3}
    assert tally.lines() == ('2 boxes skipped: no area, first a.txt: 1', '2 boxes skipped: too small, first c.txt')


def test_an_image_that_coco_does_not_list(tmp_path):
    path = write(tmp_path, 'c.json', coco([]))
    lines = [IndexLine(Path('/in/a.jpg'), path, '/in/i.tsv:1'), IndexLine(Path('/in/c.jpg'), path, '/in/i.tsv:2')]
    message = f"{path}: no entry under images has the file_name 'c.jpg' of /in/i.tsv:2: export the dataset again"
    assert refusal(DatasetError, read_records, lines, 'coco:raw', CLASSES) == message


def test_two_images_of_one_name_would_share_their_boxes(tmp_path):
    path = write(tmp_path, 'c.json', coco([GOOD]))
    lines = [IndexLine(Path(f'/in/{folder}/a.jpg'), path, f'/in/i.tsv:{folder}') for folder in (1, 2)]
    told = refusal(DatasetError, read_records, lines, 'coco:raw', CLASSES)
    assert told.startswith(f'/in/i.tsv:2: /in/2/a.jpg and /in/1/a.jpg have one file name, by which {path} gives both')
    same = [lines[0], lines[0]]  # listed twice
    assert [record.boxes for record in read_records(same, 'coco:raw', CLASSES)] == [(TrueBox(0, 1, 2, 4, 6),)] * 2


@pytest.mark.parametrize(
    'export_format, text, classes',
    [
        ('ark:raw', '1, 1, 2, 3, 4\n1, 9, 2, 3, 4\n0, 1, 2, 3, 4\n', {'class_id 1': 2, 'class_id 0': 1}),
        ('voc:raw', voc(CAT, voc_object('bird', 1, 2, 3, 4), voc_object('cat', 9, 2, 3, 4)), {'cat': 2, 'bird': 1}),
        (
            'coco:raw',
            coco([coco_box(7, 0, [1, 2, 3, 4]), coco_box(8, 3, [1, 2, 0, 4])], [(0, 'cat'), (3, 'bird')]),
            {'cat': 1, 'bird': 1},
        ),
        (
            'coco:raw',
            coco([coco_box(7, 0, [1, 2, 3, 4]), coco_box(7, 9, [1, 2, 3, 4])]),
            {'cat': 1, 'category_id 9': 1},
        ),
    ],
)
def test_every_box_is_met_whatever_becomes_of_it(tmp_path, export_format, text, classes):
    tally = Tally()
    read_records([IndexLine(Path('a.jpg'), write(tmp_path, 'a', text), 'i:1')], export_format, CLASSES, tally)
    assert tally.classes == classes


@pytest.mark.parametrize('export_format', FORMATS)
def test_annotations_that_never_end_are_not_read(tmp_path, export_format):
    os.mkfifo(tmp_path / 'pipe')
    with (tmp_path / 'large').open('wb') as stream:
        stream.truncate(2**40)  # a terabyte of nothing
    for name, why in (('pipe', 'not a regular file'), ('large', f'{2**40} bytes, where ')):
        lines = [IndexLine(Path('a.jpg'), tmp_path / name, 'i:1')]
        told = refusal(DatasetError, read_records, lines, export_format, CLASSES)
        assert told.startswith(f'{tmp_path}/{name} cannot be read ({why}')


def test_the_reader_of_the_table_is_called_for_a_format_of_one_file_for_all(tmp_path, monkeypatch):
    """A new format of this kind is its reader and a line of the table."""
    read_files = []

    def read_toy(path: Path, class_names: Sequence[str], tally: Tally) -> Mapping[str, tuple[TrueBox, ...]]:
        read_files.append(path)
        tally.meet('cat')
        tally.leave_out('too small', f'{path}:1')
        return {'a.jpg': (TrueBox(len(class_names), 1, 2, 3, 4),), 'b.jpg': ()}

    monkeypatch.setitem(annotations.READERS, 'toy', annotations.one_file_for_all(read_toy))
    files = [tmp_path / 'one.toy', tmp_path / 'two.toy', tmp_path / 'one.toy']
    images = [Path('/in/0a/b.jpg'), Path('/in/0b/a.jpg'), Path('/in/0c/a.jpg')]
    lines = [IndexLine(image, file, 'i:1') for image, file in zip(images, files)]
    box = TrueBox(3, 1, 2, 3, 4)
    tally = Tally()
    assert [record.boxes for record in read_records(lines, 'toy:raw', CLASSES, tally)] == [(), (box,), (box,)]
    assert read_files == files[:2]
    assert tally.lines() == (f'2 boxes skipped: too small, first {tmp_path}/one.toy:1',)


# --- what the platform really exports ---------------------------------------------------------------------------------

BCCD_CLASSES = ('rbc', 'wbc', 'platelets')


def bccd_lines(shared_data: Path, name: str, split: str) -> list[IndexLine]:
    """The index with the container's /in replaced by the folder of the export."""
    inside = shared_data / 'bccd' / f'training-{name}' / 'in'
    lines = read_training_index(inside / f'{split}-index.tsv')
    paths = [[inside / path.relative_to('/in') for path in (line.image, line.annotation)] for line in lines]
    return [IndexLine(*paths_of_line, line.place) for paths_of_line, line in zip(paths, lines)]


@pytest.mark.shared
@pytest.mark.parametrize('split, images, boxes', [('train', 205, 2805), ('val', 87, 1138)])
def test_bccd_is_the_same_in_all_three_formats(shared_data: Path, caplog, split, images, boxes):
    found = {}
    for name in ('ark', 'voc', 'coco'):
        lines = bccd_lines(shared_data, name, split)
        records = read_records(lines, f'{name}:raw', BCCD_CLASSES)
        assert [record.image for record in records] == [line.image for line in lines]
        assert sum(len(record.boxes) for record in records) == boxes
        found[name] = {record.image.name: sorted(record.boxes) for record in records}
        assert len(found[name]) == images
    assert found['voc'] == found['ark']
    assert found['coco'] == found['ark']
    assert caplog.records == []


@pytest.mark.shared
@pytest.mark.parametrize('name', ['ark', 'voc', 'coco'])
def test_one_bccd_box_read_by_eye(shared_data: Path, name):
    """The first training image: `1, 68, 315, 286, 480` in ark, `[68, 315, 219, 166]` in coco."""
    records = read_records(bccd_lines(shared_data, name, 'train')[:1], f'{name}:raw', BCCD_CLASSES)
    assert records[0].image.name == '15277d07a8c7b6ec8f257a53f31552b8fa570b98.jpg'
    assert len(records[0].boxes) == 19
    assert [box for box in records[0].boxes if box.label == 1] == [TrueBox(1, 68, 315, 287, 481)]
