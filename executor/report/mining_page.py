"""Make the page of a mining: the highest images and why, the scores, what is chosen against the pool."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from executor.contract.errors import ExecutorError
from executor.contract.output.files import replace_file
from executor.images.decode import read_image
from executor.images.look import look
from executor.report.board import Board, escaped, markdown_table
from executor.report.drawing import jpeg_bytes, jpeg_data_uri
from executor.report.figures import draw_scores, draw_shares, png_bytes, svg_uri
from executor.report.mining_likeness import alike
from executor.report.mining_report import SHOWN_SCORE, MiningReport, Mix, Ranked, cuts, mixes
from executor.report.mining_tiles import IMAGE_COLOUR, VIEW_COLOUR, draw_why, scale_colours
from executor.report.page import fill_page

_MOST_SECONDS = 60  # for the pictures; images of which there is none by then are listed without
_MOST_CLASSES = 15  # in a figure
_MOST_SHARES = 5  # classes below an image
_BINS = 40
_MARKED = ('highest 1 %', 'highest 5 %', 'highest 10 %')  # in the figure


class _Share(NamedTuple):
    """What a class adds to a score."""

    name: str
    share: float


@dataclass(frozen=True)
class _Tile:
    """An image as the page shows it."""

    rank: int
    ranked: Ranked
    picture: Optional[bytes]  # a JPEG; None where the image cannot be read any more, or not in time
    look: Optional[NDArray[np.int8]]
    boxes: int  # of SHOWN_SCORE and above
    shares: Sequence[_Share]

    @property
    def uri(self) -> Optional[str]:
        """Give what an `img` shows."""
        return None if self.picture is None else jpeg_data_uri(self.picture)


def show_mining(report: MiningReport, page: Path, board: Board) -> None:
    """Write the page of a mining, and the same pictures for TensorBoard.

    Raises:
        OSError: the page cannot be written.
    """
    tiles = _tiles(report)
    ends, parts = cuts(report.scores), mixes(report)
    marks = {cut.name: cut.lowest for cut in ends if cut.name in _MARKED}
    histogram = draw_scores(report.scores, _BINS, marks)
    largest = _largest(parts)
    classes = None
    if len(largest):
        names = [report.class_names[label] for label in largest]
        classes = draw_shares({part.name: part.shares[largest] for part in parts}, names, ('', 'boxes'))
    seen = [(tile, tile.look) for tile in tiles if tile.look is not None]
    text = fill_page(
        'mining.html',
        report=report,
        tiles=tiles,
        kinds=_kinds(report.highest),
        scale=[_css(colour) for colour in scale_colours(np.linspace(0, 1, 6).tolist())],
        image_colour=_css(IMAGE_COLOUR),
        view_colour=_css(VIEW_COLOUR),
        shown_score=SHOWN_SCORE,
        histogram=svg_uri(histogram),
        cuts=ends,
        class_figure=None if classes is None else svg_uri(classes),
        parts=parts,
        rows=_class_rows(report, parts),
        most_classes=_MOST_CLASSES,
        groups=[[seen[number][0] for number in group] for group in alike([one for _, one in seen])],
    )
    replace_file(page, text)
    _fill_board(board, report, tiles)
    board.histogram('mining/scores', report.scores)
    for tag, figure in (('mining/histogram', histogram), ('mining/classes', classes)):
        if figure is not None:
            board.image(tag, png_bytes(figure))


def _tiles(report: MiningReport) -> List[_Tile]:
    deadline = time.monotonic() + _MOST_SECONDS
    tiles = []
    for rank, ranked in enumerate(report.highest, start=1):
        picture, seen = None, None
        if time.monotonic() < deadline:
            try:
                image = read_image(ranked.path)
                picture = jpeg_bytes(draw_why(image, ranked, report.class_names, report.make_views))
                seen = look(image)
            except ExecutorError:  # the image is not there any more
                pass
        boxes = int((ranked.found.scores >= SHOWN_SCORE).sum())
        tiles.append(_Tile(rank, ranked, picture, seen, boxes, _shares(ranked, report.class_names)))
    return tiles


def _shares(ranked: Ranked, class_names: Sequence[str]) -> List[_Share]:
    """List the classes that add most to a score."""
    parts = None if ranked.why is None else ranked.why.class_parts
    if parts is None or not parts.sum() > 0:
        return []
    shares = parts / parts.sum()
    order = np.argsort(-shares, kind='stable')[:_MOST_SHARES].tolist()
    return [_Share(class_names[label], float(shares[label])) for label in order if shares[label] >= 0.005]


def _kinds(highest: Sequence[Ranked]) -> Dict[str, bool]:
    """Tell which kinds of reasons there are, each of which has a legend."""
    whys = [ranked.why for ranked in highest if ranked.why is not None]
    return {kind: any(getattr(why, kind) is not None for why in whys) for kind in ('box_parts', 'heat', 'view')}


def _largest(parts: Sequence[Mix]) -> NDArray[np.int64]:
    """Return the classes with the greatest shares in any part."""
    greatest = np.max([part.shares for part in parts], axis=0)
    order = np.argsort(-greatest, kind='stable')[:_MOST_CLASSES]
    return order[greatest[order] > 0]


def _class_rows(report: MiningReport, parts: Sequence[Mix]) -> List[Dict[str, object]]:
    """Give each class that is found its boxes and their share in each part, most boxes of the pool first."""
    shares = [part.shares for part in parts]
    return [
        {
            'name': report.class_names[label],
            'weight': report.class_weights[label] if report.class_weights else None,
            'cells': [(int(p.boxes[label]), s[label]) for p, s in zip(parts, shares)],
        }
        for label in np.argsort(-report.boxes, kind='stable').tolist()
        if report.boxes[label]
    ]


def _fill_board(board: Board, report: MiningReport, tiles: Sequence[_Tile]) -> None:
    for tile in tiles:
        if tile.picture is not None:
            board.image(f'mining/highest {tile.rank:02d}', tile.picture)
    rows = [[tile.rank, f'{tile.ranked.score:.5g}', tile.ranked.path.name] for tile in tiles]
    board.text('mining/highest', f'{escaped(report.algorithm)}\n\n{markdown_table(["rank", "score", "image"], rows)}')


def _css(colour: Sequence[int]) -> str:
    blue, green, red = colour
    return f'#{red:02x}{green:02x}{blue:02x}'
