"""Read tables of boxes, a row a box: with a header, or as RetinaNet has them without one."""

from __future__ import annotations

import csv
import math
from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from desk.layouts.dataset import Boxes, Dataset, ListedImage, Size, lines_of, parts_of, unused
from executor.contract.annotations.records import Tally, TrueBox, fits
from executor.contract.errors import DatasetError
from executor.contract.shown import shown

COLUMNS: Dict[str, Tuple[str, ...]] = {
    'image': ('image', 'filename', 'file_name', 'file', 'path', 'image_path'),
    'xmin': ('xmin', 'x_min', 'x1', 'left'),
    'ymin': ('ymin', 'y_min', 'y1', 'top'),
    'xmax': ('xmax', 'x_max', 'x2', 'right'),
    'ymax': ('ymax', 'y_max', 'y2', 'bottom'),
    'class': ('class', 'class_name', 'label', 'name', 'category'),
}
_HEADERLESS = tuple(COLUMNS)  # the order of the columns where nobody names them
_ONE_ROW = 'image,xmin,ymin,xmax,ymax,class'


class _Row(NamedTuple):
    """A box of an image; without one, corners and class are empty."""

    place: str
    corners: Sequence[float]
    class_name: str


def read_csv_layout(data: Sequence[Path], images: Optional[Path] = None) -> Dataset:
    """Read tables with pixels of the corners, xmax and ymax just behind the box, so that xmax - xmin is its width.

    A row with an empty class and empty corners is an image without objects.

    Raises:
        DatasetError: a table lacks a column, or a row is malformed.
    """
    files = [file for place in data for file in ([place] if place.is_file() else sorted(place.glob('*.csv')))]
    if not files:
        raise DatasetError(f'{data[0]} holds no .csv file: name the table itself')
    parts = parts_of(files)
    tables = {file: _table(file) for file in parts}
    rows = [row for table in tables.values() for image_rows in table.values() for row in image_rows]
    class_names = tuple(dict.fromkeys(row.class_name for row in rows if row.class_name))
    listed: List[ListedImage] = []
    for file, table in tables.items():
        for name, image_rows in table.items():
            read = partial(_read, image_rows, class_names)
            listed.append(ListedImage(_image(images or file.parent, name), image_rows[0].place, read, parts[file]))
    split = ' and '.join(f'{file} ({part})' for file, part in parts.items()) if any(parts.values()) else ''
    return Dataset(class_names, listed, split, unused(files, parts))


def _image(folder: Path, name: str) -> Path:
    image = folder / name
    return image if image.is_file() or '\\' not in name else folder / name.replace('\\', '/')


def _read(rows: Sequence[_Row], class_names: Sequence[str], size: Size, tally: Tally) -> Boxes:
    boxes = []
    for row in rows:
        if not row.class_name:
            continue
        x1, y1, x2, y2 = row.corners
        if x2 <= x1 or y2 <= y1:
            tally.leave_out('no area', row.place)
            continue
        boxes.append(TrueBox(class_names.index(row.class_name), x1, y1, x2, y2))
    return tuple(boxes)


def _table(file: Path) -> Dict[str, List[_Row]]:
    """Return the rows of each image, by the name that the table has for it."""
    lines = lines_of(file)
    first = next((line for line in lines if line.strip()), '')
    delimiter = max(',;\t', key=first.count)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    columns: Optional[Dict[str, int]] = None
    table: Dict[str, List[_Row]] = {}
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        place = f'{file}:{reader.line_num}'
        if columns is None:
            columns, is_header = _columns(cells, place)
            if is_header:
                continue
        row = _row([cells[columns[name]] if columns[name] < len(cells) else '' for name in COLUMNS], place)
        name = cells[columns['image']].strip()
        if not name:
            raise _wrong(place, cells)
        table.setdefault(name, []).append(row)
    if not table:
        raise DatasetError(f'{file} holds no row: expected {_ONE_ROW}: choose another file')
    return table


def _columns(cells: Sequence[str], place: str) -> Tuple[Dict[str, int], bool]:
    """Find the columns by the first row; without a header it must be a box, or an image without one."""
    names = [cell.strip().lower() for cell in cells]
    found = {
        column: next((names.index(name) for name in known if name in names), -1) for column, known in COLUMNS.items()
    }
    if min(found.values()) >= 0:
        return found, True
    if len(cells) == len(COLUMNS) and (all(map(_is_number, cells[1:5])) or not any(names[1:])):
        return {column: number for number, column in enumerate(_HEADERLESS)}, False
    lacking = [f'{column} (or {", ".join(COLUMNS[column][1:])})' for column, number in found.items() if number < 0]
    raise DatasetError(
        f'{place}: the header has no column {"; ".join(lacking)}, found {shown(",".join(cells))}: name the columns in '
        f'the first row, or leave the header out of rows of {_ONE_ROW}'
    )


def _row(cells: Sequence[str], place: str) -> _Row:
    cells = [cell.strip() for cell in cells]
    corners, class_name = cells[1:5], cells[5]
    if not class_name and not any(corners):
        return _Row(place, (), '')
    if not class_name or not all(map(_is_number, corners)):
        raise _wrong(place, cells)
    return _Row(place, [float(corner) for corner in corners], class_name)


def _is_number(cell: str) -> bool:
    try:
        value = float(cell)
    except ValueError:
        return False
    return math.isfinite(value) and fits(value)


def _wrong(place: str, cells: Sequence[str]) -> DatasetError:
    return DatasetError(
        f'{place}: expected {_ONE_ROW} with corners in pixels, found {shown(",".join(cells))}: mend the row, or take '
        'it out'
    )
