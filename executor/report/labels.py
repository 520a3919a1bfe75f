"""Write names into a picture: in any script that a font of this machine has, and so that none covers another."""

from __future__ import annotations

import colorsys
import functools
import os
from typing import FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

# That with most characters of a text writes it. matplotlib brings one for Latin, Greek, Cyrillic, Arabic and Hebrew;
# the others are Debian's for Chinese, Japanese and Korean, of which the image has one.
FONTS = (
    os.path.join(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf'),
    '/usr/share/fonts/truetype/wqy/wqy-microhei.ttc',
    '/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc',
    '/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf',
)
_LONGEST = 24  # characters
_SIZE = 12  # pixels of a name
_MARGIN = 2  # pixels around a text
_GOLDEN = 0.618034  # steps of hue by it are never near each other

Colour = Tuple[int, int, int]  # BGR
Box = Sequence[int]  # x1 y1 x2 y2


class _Font(NamedTuple):
    path: str
    characters: FrozenSet[int]


def class_colour(label: int) -> Colour:
    """Give the colour of a class, the same in every picture."""
    red, green, blue = colorsys.hsv_to_rgb((0.58 + label * _GOLDEN) % 1, 0.75 if label % 2 else 0.9, 0.95)
    return round(255 * blue), round(255 * green), round(255 * red)


class Labels:
    """The labels of one picture; the first to come have the choice of places."""

    def __init__(self, picture: np.ndarray) -> None:
        """Write on (H, W, 3) uint8 BGR."""
        self._picture = picture
        self._taken: List[Box] = []

    def write(self, text: str, box: Box, ground: Colour) -> bool:
        """Write a name on a ground of a colour, at a box; returns whether there was a place for it."""
        mask = text_mask(text if len(text) <= _LONGEST else f'{text[: _LONGEST - 1]}…', _SIZE)
        place = self._place(box, mask.shape[1], mask.shape[0])
        if place is not None:
            self._put(mask, place[:2], ground)
        return place is not None

    def write_line(self, text: str, bottom: int, size: int) -> None:
        """Write a line of black text on white from the left, as far as there is room, down to row `bottom`."""
        mask = text_mask(text, size)[:, : self._picture.shape[1]]
        self._put(mask, (0, bottom - len(mask)), (255, 255, 255))

    def _put(self, mask: np.ndarray, corner: Sequence[int], ground: Colour) -> None:
        (height, width), (x, y) = mask.shape, corner
        self._taken.append((x, y, x + width, y + height))
        share = mask[:, :, None].astype(np.float32) / 255
        written = np.array(_ink(ground), np.float32) * share + np.array(ground, np.float32) * (1 - share)
        self._picture[y : y + height, x : x + width] = written.round().astype(np.uint8)

    def _place(self, box: Box, width: int, height: int) -> Optional[Box]:
        """Find where a text of this size lies inside the picture and on no other, as near to the box as may be."""
        x1, y1, x2, y2 = box
        bottom, right = self._picture.shape[:2]
        if width > right or height > bottom:
            return None
        above, below = y1 - height, y2
        wanted = [(x1, above), (x1, y1), (x1, below), (x2 - width, above), (x2 - width, y1), (x2 - width, below)]
        for x, y in [*wanted, (x1, y2 - height), (x2, y1), (x1 - width, y1)]:
            x, y = min(max(x, 0), right - width), min(max(y, 0), bottom - height)
            place = (x, y, x + width, y + height)
            if not any(_overlap(place, other) for other in self._taken):
                return place
        return None


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _ink(ground: Colour) -> Colour:
    """Choose black or white, whichever can be read on a ground."""
    blue, green, red = ground
    return (0, 0, 0) if 0.114 * blue + 0.587 * green + 0.299 * red > 140 else (255, 255, 255)


@functools.lru_cache(maxsize=1024)
def text_mask(text: str, size: int) -> np.ndarray:
    """Write a text as (h, w) uint8, 255 where its ink is; what no font has is a question mark."""
    font = _font_of(text)
    known = ''.join(character if ord(character) in font.characters else '?' for character in text)
    writer = ImageFont.truetype(font.path, size)
    ascent, descent = writer.getmetrics()
    width = int(np.ceil(writer.getlength(known)))
    mask = Image.new('L', (max(1, width) + 2 * _MARGIN, ascent + descent))
    ImageDraw.Draw(mask).text((_MARGIN, 0), known, fill=255, font=writer)
    found = np.asarray(mask)
    found.setflags(write=False)
    return found


def _font_of(text: str) -> _Font:
    """Choose the font that has the most characters of a text."""
    return max(_fonts(), key=lambda font: sum(ord(character) in font.characters for character in text))


@functools.lru_cache(maxsize=None)
def _fonts() -> Tuple[_Font, ...]:
    return tuple(_Font(path, frozenset(FT2Font(path).get_charmap())) for path in FONTS if os.path.isfile(path))
