"""Define what the readers of layouts return: images with their boxes, as a dataset lists them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from executor.contract.annotations.records import Tally, TrueBox
from executor.contract.errors import DatasetError
from executor.contract.regular_file import read_regular
from executor.contract.shown import clipped, listed

TRAIN, VAL = 'train', 'val'
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.gif')
_MOST_BYTES = 2**30  # of a text file

Size = Tuple[int, int]  # width and height in pixels
Boxes = Tuple[TrueBox, ...]
BoxReader = Callable[[Size, Tally], Boxes]


def no_boxes(size: Size, tally: Tally) -> Boxes:
    """Read the boxes of an image without objects."""
    return ()


class ListedImage(NamedTuple):
    """An image of a dataset: what lists it, how its boxes are read, and the part that the dataset puts it into."""

    image: Path
    place: str
    read: BoxReader = no_boxes  # labels count the class names of the dataset; what is left out is tallied
    part: str = ''  # TRAIN, VAL, or nothing where the dataset does not say


@dataclass
class Dataset:
    """A dataset as its files say it."""

    class_names: Tuple[str, ...]
    images: List[ListedImage]
    split: str = ''  # the words for the parts that it has, where it has some
    warnings: List[str] = field(default_factory=list)  # whole sentences
    images_left_out: Tally = field(default_factory=Tally)
    boxes_left_out: Tally = field(default_factory=Tally)  # while the dataset was read; `ListedImage.read` has its own


def parts_of(files: Sequence[Path]) -> Dict[Path, str]:
    """Say which of several files is to validate with: that whose name, or whose folder's, has `val` in it.

    Those with `test` in it are left out where there are others; of two without such names the second is to validate
    with.
    """
    words = {file: file.stem.lower() for file in files}
    if len(set(words.values())) < len(files):  # one name in folders of their own, as Roboflow writes them
        words = {file: file.parent.name.lower() for file in files}
    used = [file for file in files if 'test' not in words[file]] or files
    parts = {file: VAL if 'val' in words[file] else TRAIN for file in used}
    if len(files) == 2 and list(parts.values()) == [TRAIN, TRAIN]:
        parts[files[1]] = VAL
    return parts if len(set(parts.values())) > 1 else dict.fromkeys(parts, '')


def unused(files: Sequence[Path], parts: Mapping[Path, str]) -> List[str]:
    """Tell of the files that `parts_of` leaves out."""
    return [f'{file} is not used: by its name it is to test with' for file in files if file not in parts]


def first_folder(*folders: Path) -> Optional[Path]:
    """Return the first of some folders that is there."""
    return next((folder for folder in folders if folder.is_dir()), None)


def files_below(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """Yield the files of some suffixes below a folder, whatever their case, in the order of their paths."""
    for path, folders, names in os.walk(str(folder)):
        folders.sort()
        yield from (Path(path, name) for name in sorted(names) if os.path.splitext(name)[1].lower() in suffixes)


def lines_of(file: Path) -> List[str]:
    """Read the lines of a text file: UTF-8, with or without a mark at its start, of Windows or not."""
    try:
        text = read_regular(file, _MOST_BYTES).decode('utf-8-sig')
    except OSError as error:
        raise DatasetError(f'{file} cannot be read ({error.strerror}): mend the path, or make the file readable')
    except UnicodeDecodeError as error:
        raise DatasetError(f'{file} is not UTF-8 text (byte {error.start}): save it as UTF-8')
    return text.replace('\r\n', '\n').split('\n')


def not_there(what: str, looked: Sequence[Path], remedy: str) -> DatasetError:
    """Make the error for something that was looked for in several places."""
    places = listed([clipped(str(place)) for place in dict.fromkeys(looked)])
    return DatasetError(f'{what} is not there, looked for at {places}: {remedy}')
