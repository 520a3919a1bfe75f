"""Read PASCAL VOC: an xml an image, in Annotations and JPEGImages, or beside the images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from desk.layouts.dataset import (
    IMAGE_SUFFIXES,
    TRAIN,
    VAL,
    Boxes,
    Dataset,
    ListedImage,
    Size,
    files_below,
    first_folder,
    lines_of,
)
from desk.usage import UsageError
from executor.contract.annotations.records import Tally
from executor.contract.annotations.voc import read_voc
from executor.contract.errors import DatasetError

_PARTS = {'train': TRAIN, 'val': VAL, 'trainval': ''}


def read_voc_layout(data: Sequence[Path], images: Optional[Path] = None) -> Dataset:
    """Read a folder that holds Annotations and JPEGImages (or has one folder that does), or xml beside images.

    ImageSets/Main/train.txt and val.txt are the split where they are; else trainval.txt says which images count.

    Raises:
        DatasetError: an xml is malformed, or there is none.
    """
    if len(data) != 1 or not data[0].is_dir():
        raise UsageError('--from voc takes one folder, which holds Annotations and JPEGImages: name that')
    root = data[0]
    inside = [folder for folder in sorted(root.iterdir()) if (folder / 'Annotations').is_dir()]
    if not (root / 'Annotations').is_dir() and len(inside) == 1:  # VOCdevkit/VOC2012
        root = inside[0]
    notes = first_folder(root / 'Annotations', root / 'annotations') or root
    pictures = images or first_folder(root / 'JPEGImages', root / 'images') or root
    xmls = {_stem(file, notes): file for file in files_below(notes, ('.xml',))}
    if not xmls:
        raise DatasetError(f'{notes} holds no .xml file: name the folder that holds Annotations and JPEGImages')
    tally, left_out = Tally(), Tally()
    for xml in xmls.values():
        _read(xml, (), (0, 0), tally)
    class_names = tuple(sorted(tally.classes))
    found: Dict[str, Path] = {}
    for image in files_below(pictures, IMAGE_SUFFIXES):
        if found.setdefault(_stem(image, pictures), image) != image:
            left_out.leave_out('another image has the name but for its ending', image)
    parts = _parts(root / 'ImageSets' / 'Main')
    listed: List[ListedImage] = []
    for name in parts or sorted({*xmls, *found}):
        if name not in found:
            left_out.leave_out(f'no image in {pictures}', xmls.get(name, name))
        elif name not in xmls:
            left_out.leave_out(f'no xml in {notes}', found[name])
        else:
            read = partial(_read, xmls[name], class_names)
            listed.append(ListedImage(found[name], str(xmls[name]), read, (parts or {}).get(name, '')))
    if parts:
        for name in sorted({*xmls, *found} - set(parts)):
            left_out.leave_out('not listed in ImageSets/Main', name)
    split = 'ImageSets/Main/train.txt and val.txt' if parts and VAL in parts.values() else ''
    return Dataset(class_names, listed, split, images_left_out=left_out)


def _read(xml: Path, class_names: Sequence[str], size: Size, tally: Tally) -> Boxes:
    return read_voc(xml, class_names, tally)


def _stem(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix('').as_posix()


def _parts(folder: Path) -> Dict[str, str]:
    """Return the part of each image that is listed; nothing where no list is."""
    files = {name: folder / f'{name}.txt' for name in _PARTS if (folder / f'{name}.txt').is_file()}
    if 'train' in files and 'val' in files:
        files.pop('trainval', None)  # which holds both
    elif 'trainval' in files:
        files = {'trainval': files['trainval']}
    parts: Dict[str, str] = {}
    for name, file in files.items():
        for line in lines_of(file):
            if line.strip():
                parts[line.strip()] = _PARTS[name] if len(files) > 1 else ''
    return parts
