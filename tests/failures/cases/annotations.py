"""Annotations in each format."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Tuple

from tests.failures.case import Case, rows
from tests.failures.task import Change, Task, annotated_in_coco, annotated_in_voc, change, content

_ARK, _VOC, _COCO = (f'in/annotations/{name}' for name in ('train-1.txt', 'train-1.xml', 'coco-annotations.json'))
_BOX = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>'


def _ark(what: str, text: Any, *words: str) -> Case:
    return rows(300002, heavy=True)(what, content(_ARK, text), f'/{_ARK}', *words)


def _voc(what: str, text: str, *words: str) -> Case:
    return rows(300002, heavy=True)(what, annotated_in_voc(text), f'/{_VOC}', *words)


def _coco(what: str, spoil: Callable[[Dict[str, Any]], Any], *words: str) -> Case:
    return rows(300002, heavy=True)(what, annotated_in_coco(spoil), f'/{_COCO}', *words)


def _unusable(what: str, change: Change, *words: str) -> Case:
    """A training set without a box to learn from."""
    told = '/in/train-index.tsv: its 4 images have no box of circle, square, triangle to learn from'
    return rows(300002, heavy=True)(what, change, told, *words, 'another dataset')


@change
def _all_in_ark(task: Task, text: str) -> None:
    for n in (1, 2, 3, 4):
        task.write(f'in/annotations/train-{n}.txt', text)


@change
def _all_in_voc(task: Task, text: str) -> None:
    annotated_in_voc(text)(task)
    for n in (2, 3, 4):
        task.write(f'in/annotations/train-{n}.xml', text)


def _all_crowds(data: Dict[str, Any]) -> None:
    for annotation in data['annotations']:
        annotation['iscrowd'] = 1


def _repeated(data: Dict[str, Any], section: str, **values: Any) -> None:
    """The last entry once more, with other values."""
    data[section].append({**data[section][-1], **values})


def _entity_bomb() -> str:
    entities = ''.join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 9 if n else "lol"}">' for n in range(10))
    return f'<!DOCTYPE annotation [{entities}]><annotation><object><name>&e9;</name></object></annotation>'


CASES: Tuple[Case, ...] = (
    _ark('ark: letters for numbers', '0, a, b, c, d\n', ':1: expected class_id, xmin', "'0, a, b, c, d'"),
    _ark('ark: too few columns', '0, 1, 1, 9, 9\n0, 1, 2\n', ':2: expected class_id, xmin', "'0, 1, 2'"),
    _ark('ark: too many columns', '0, 1, 1, 9, 9, 1, 0, 5\n', ':1: expected class_id, xmin'),
    _ark('ark: a class id beyond class_names', '3, 1, 1, 9, 9\n', ':1: class_id must be 0 to 2', "'3, 1"),
    _ark('ark: a negative class id', '-1, 1, 1, 9, 9\n', ':1: class_id must be 0 to 2', "'-1, 1"),
    _ark('ark: a class id that is no whole number', '0.5, 1, 1, 9, 9\n', ':1: class_id must be 0 to 2'),
    _ark('ark: a corner that is no number', '0, nan, 1, 9, 9\n', ':1: expected class_id, xmin', "'0, nan"),
    _ark('ark: not text', b'\x89PNG\r\n\xff', 'expected text lines of class_id', 'position 0'),
    _voc('voc: not XML', 'circle 1 1 9 9\n', ':1: expected VOC xml'),
    _voc('voc: XML that ends too early', '<annotation>\n<object>', ':2: expected VOC xml'),
    _voc('voc: entities that grow a billionfold', _entity_bomb(), 'remove <!DOCTYPE ...>'),
    _voc(
        'voc: an entity that reads another file',
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a><object><name>&e;</name></object></a>',
        'remove <!DOCTYPE ...>',
    ),
    _voc(
        'voc: an object without box',
        '<annotation><object><name>circle</name></object></annotation>',
        'object 1',
        'expected a number in <bndbox><xmin>',
    ),
    _voc(
        'voc: an object without name', f'<annotation><object>{_BOX}</object></annotation>', 'object 1: expected <name>'
    ),
    _voc(
        'voc: a corner that is no number',
        f'<annotation><object><name>circle</name>{_BOX.replace("<xmax>9", "<xmax>wide")}</object></annotation>',
        'object 1',
        "<bndbox><xmax>, found 'wide'",
    ),
    _voc('voc: an encoding that does not exist', '<?xml version="1.0" encoding="latin-99"?><a/>', ':1: expected'),
    _coco('coco: not JSON', lambda data: 'circle 1 1 9 9', ':1: expected COCO json'),
    _coco('coco: a list', lambda data: '[]', 'expected a COCO object', 'found list'),
    _coco('coco: no images', lambda data: data.pop('images') and None, "list of objects under 'images'"),
    _coco(
        'coco: an annotation without box',
        lambda data: data['annotations'][0].pop('bbox') and None,
        'annotations[0]',
        'expected bbox [x, y, width, height]',
    ),
    _coco(
        'coco: an annotation without image_id',
        lambda data: data['annotations'][1].pop('image_id') and None,
        'annotations[1]',
        "expected 'image_id'",
    ),
    _coco(
        'coco: an annotation of an unknown image',
        lambda data: data['annotations'][1].update(image_id=99),
        'annotations[1]',
        'image_id 99 is not among images',
    ),
    _coco(
        'coco: an image of the index that it does not have',
        lambda data: data['images'][0].update(file_name='other.jpg'),
        "'train-1.jpg'",
        '/in/train-index.tsv:1',
        'export the dataset again',
    ),
    _coco(
        'coco: a box that is no number',
        lambda data: data['annotations'][0].update(bbox=[float('nan'), 1, 1, 1]),
        'annotations[0]',
        'expected bbox',
        'nan',
    ),
    _coco('coco: nested without end', lambda data: '[' * 100000, 'expected COCO json'),
    _coco(
        'coco: a number of 5000 digits', lambda data: f'{{"images": {"9" * 5000}}}', "list of objects under 'images'"
    ),
    _ark('ark: a corner of 1e308', '0, 1, 1, 1e308, 9\n', ':1: expected class_id, xmin', "'0, 1, 1, 1e308"),
    _voc(
        'voc: an object with two names',
        f'<annotation><object><name>circle</name><name>square</name>{_BOX}</object></annotation>',
        'object 1: expected one <name>, found 2',
    ),
    _voc(
        'voc: an object with two boxes',
        f'<annotation><object><name>circle</name>{_BOX}{_BOX}</object></annotation>',
        'object 1: expected one <bndbox>, found 2',
    ),
    _voc('voc: another kind of XML', '<html><body>circle</body></html>', 'with <annotation>, found <html>'),
    _coco(
        'coco: a category id twice',
        lambda data: _repeated(data, 'categories', name='other'),
        "categories[3]: id '2' is that of categories[2] already",
    ),
    _coco(
        'coco: a category name twice',
        lambda data: _repeated(data, 'categories', id=9),
        "categories[3]: name 'triangle' is that of categories[2] already",
    ),
    _coco(
        'coco: an image id twice',
        lambda data: _repeated(data, 'images', file_name='other.jpg'),
        "images[6]: id '6' is that of images[5] already",
    ),
    _coco(
        'coco: a file name twice',
        lambda data: _repeated(data, 'images', id=9),
        "images[6]: file_name 'val-2.jpg' is that of images[5] already",
    ),
    _coco(
        'coco: true for an id', lambda data: data['images'][0].update(id=True), "images[0]: expected 'id', found True"
    ),
    _coco(
        'coco: a key twice in one object',
        lambda data: json.dumps(data).replace('"id": 1,', '"id": 1, "id": 2,', 1),
        "the key 'id' is there twice in one object",
    ),
    _coco(
        'coco: an annotation of an unknown category',
        lambda data: data['annotations'][1].update(category_id=99),
        'annotations[1]',
        'category_id 99 is not among categories',
    ),
    _unusable('no training image has a box', _all_in_ark(''), 'hold no box at all: choose'),
    _unusable(
        'all boxes lie outside of their images', _all_in_ark('1, 5000, 1, 5009, 9\n'), '(4); 4 outside of their image'
    ),
    _unusable(
        'all boxes are of classes that are not trained',
        _all_in_voc('<annotation>' + f'<object><name>car</name>{_BOX}</object>' * 2 + '</annotation>'),
        'hold car (8); 8 class not in class_names: choose class_names among these',
    ),
    _unusable(
        'all boxes are difficult',
        _all_in_voc(f'<annotation><object><name>circle</name><difficult>1</difficult>{_BOX}</object></annotation>'),
        'hold circle (4); 4 difficult or crowd',
    ),
    _unusable('all boxes are crowds', annotated_in_coco(_all_crowds), 'hold circle (6); 4 difficult or crowd'),
)
