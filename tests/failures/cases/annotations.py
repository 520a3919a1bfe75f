"""Annotations in each format."""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple

from tests.failures.case import Case, rows
from tests.failures.task import annotated_in_coco, annotated_in_voc, content

_ARK, _VOC, _COCO = (f'in/annotations/{name}' for name in ('train-1.txt', 'train-1.xml', 'coco-annotations.json'))
_BOX = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>'


def _ark(what: str, text: Any, *words: str) -> Case:
    return rows(300002, heavy=True)(what, content(_ARK, text), f'/{_ARK}', *words)


def _voc(what: str, text: str, *words: str) -> Case:
    return rows(300002, heavy=True)(what, annotated_in_voc(text), f'/{_VOC}', *words)


def _coco(what: str, spoil: Callable[[Dict[str, Any]], Any], *words: str) -> Case:
    return rows(300002, heavy=True)(what, annotated_in_coco(spoil), f'/{_COCO}', *words)


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
    _coco('coco: a number of 5000 digits', lambda data: f'{{"images": {"9" * 5000}}}', 'expected COCO json'),
)
