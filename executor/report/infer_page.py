"""Make the page of an inference: what is found of each class, at which scores, and images of each band of scores."""

from __future__ import annotations

import time
from pathlib import Path
from typing import List, NamedTuple, Optional

import numpy as np

from executor.contract.errors import ExecutorError
from executor.contract.output.files import replace_file
from executor.detections import Detections
from executor.images.decode import read_image
from executor.report.board import Board
from executor.report.drawing import jpeg_bytes, jpeg_data_uri, shrunk
from executor.report.figures import draw_histogram, draw_shares, png_bytes, svg_uri
from executor.report.infer_report import BANDS, InferReport
from executor.report.mining_tiles import SIDE, draw_found
from executor.report.page import fill_page

_MOST_SECONDS = 60  # for the pictures; images of which there is none by then are listed without
_MOST_CLASSES = 15  # in a figure


class _Tile(NamedTuple):
    """An image as the page shows it."""

    name: str
    path: str
    picture: Optional[bytes]  # a JPEG; None where the image cannot be read any more, or not in time
    boxes: int
    surest: Optional[float]

    @property
    def uri(self) -> Optional[str]:
        """Give what an `img` shows."""
        return None if self.picture is None else jpeg_data_uri(self.picture)


class _Band(NamedTuple):
    """A band of images."""

    name: str
    meaning: str
    images: int
    tiles: List[_Tile]


def show_inference(report: InferReport, page: Path, board: Board) -> None:
    """Write the page of an inference, and the same pictures for TensorBoard.

    Raises:
        OSError: the page cannot be written.
    """
    bands = _bands(report)
    order = [label for label in np.argsort(-report.boxes, kind='stable').tolist() if report.boxes[label]]
    shares = report.boxes / max(1, report.boxes.sum())
    names = [report.class_names[label] for label in order]
    histogram, classes = draw_histogram(report.scores), None
    if order:
        drawn = order[:_MOST_CLASSES]
        classes = draw_shares({'boxes': shares[drawn]}, names[:_MOST_CLASSES], ('', 'boxes'))
    text = fill_page(
        'infer.html',
        report=report,
        bands=bands,
        rows=[(name, int(report.boxes[n]), shares[n], int(report.images[n])) for name, n in zip(names, order)],
        class_figure=None if classes is None else svg_uri(classes),
        most_classes=_MOST_CLASSES,
        histogram=svg_uri(histogram),
    )
    replace_file(page, text)
    for band in bands:
        for number, tile in enumerate(band.tiles, start=1):
            if tile.picture is not None:
                board.image(f'inference/{band.name} {number}', tile.picture)
    for tag, figure in (('inference/scores', histogram), ('inference/classes', classes)):
        if figure is not None:
            board.image(tag, png_bytes(figure))


def _bands(report: InferReport) -> List[_Band]:
    deadline, found = time.monotonic() + _MOST_SECONDS, []
    above: Optional[float] = None
    for (name, lowest), images, samples in zip(BANDS, report.in_bands.tolist(), report.samples):
        if name == BANDS[-1][0]:
            meaning = f'no box of {report.threshold:g} or more'
        else:
            meaning = f'the surest box has {max(lowest, report.threshold):g} or more'
            meaning += f', and less than {above:g}' if above is not None else ''
        above = lowest
        found.append(_Band(name, meaning, images, [_tile(report, *one, deadline) for one in samples]))
    return found


def _tile(report: InferReport, path: str, detections: Detections, deadline: float) -> _Tile:
    picture = None
    if time.monotonic() < deadline:
        try:
            canvas, scale = shrunk(read_image(Path(path)), SIDE)
            draw_found(canvas, scale, detections, report.class_names)
            picture = jpeg_bytes(canvas)
        except ExecutorError:  # the image is not there any more
            pass
    surest = float(detections.scores[0]) if len(detections) else None
    return _Tile(Path(path).name, path, picture, len(detections), surest)
