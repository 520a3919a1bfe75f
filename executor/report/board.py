"""Write pictures, text, curves and settings into a folder that TensorBoard shows, each as small as it can be."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import time
from pathlib import Path
from typing import Any, BinaryIO, Mapping, Optional, Sequence, Tuple, Type, Union

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

from executor.contract.shown import first_line
from executor.report.drawing import jpeg_bytes, shrunk

logger = logging.getLogger(__name__)

SIDE = 1280  # pixels of a picture at most
MOST_BYTES = 24_000_000  # of the pictures of a board
_BINS = 40  # of a histogram
_NUMBERS = itertools.count()  # of the boards of this process

Setting = Union[bool, float, str]


class Board:
    """One event file of a folder, written at once with each call; TensorBoard follows the newest file of a folder.

    It is an extra: where it cannot be written, as on a full disk, a warning has to do, and nothing more is written.
    """

    def __init__(self, folder: Path) -> None:
        self._file: Optional[BinaryIO] = None
        self._left = MOST_BYTES
        name = f'events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_NUMBERS)}'
        self.path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open('wb', buffering=0)
        except OSError as error:
            self._give_up(error)
        self._write(Event(file_version='brain.Event:2'))

    def __enter__(self) -> Board:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: object) -> None:
        self.close()

    def close(self) -> None:
        """End the file; what comes after is left out."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def scalar(self, tag: str, value: float, step: int = 0) -> None:
        """Add a point to a curve."""
        self._add(step, tag=tag, simple_value=float(value))

    def image(self, tag: str, picture: Union[NDArray[np.uint8], bytes], step: int = 0) -> None:
        """Add a picture (H, W, 3) uint8 BGR, or the bytes of a PNG or JPEG, which stay as they are if small enough.

        It is at most `SIDE` pixels wide and high; what is beyond `MOST_BYTES` is left out.
        """
        data, (height, width) = _encoded(picture)
        if self._left >= 0 > self._left - len(data):
            logger.info('tensorboard: pictures after the first %.0f MB are left out', MOST_BYTES / 1e6)
        self._left -= len(data) if self._left >= 0 else 0
        if self._left >= 0:
            image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=data)
            self._add(step, tag=tag, image=image)

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Add a text; TensorBoard shows Markdown, see `markdown_table` and `escaped`."""
        self._add(step, tag=tag, tensor=make_tensor_proto([_sound(markdown)]), metadata=_of_plugin('text'))

    def histogram(self, tag: str, values: ArrayLike, step: int = 0) -> None:
        """Add how often values are found, in 40 bins; nothing of no value."""
        numbers = np.asarray(values, np.float64).ravel()
        numbers = numbers[np.isfinite(numbers)]
        if not numbers.size:
            return
        counts, edges = np.histogram(numbers, _BINS)
        found = HistogramProto(
            **{'min': numbers.min(), 'max': numbers.max(), 'num': numbers.size},
            **{'sum': numbers.sum(), 'sum_squares': numbers.dot(numbers)},
            # Each bin is told by its end; the first, empty one is where they begin.
            **{'bucket_limit': edges.tolist(), 'bucket': [0, *counts.tolist()]},
        )
        self._add(step, tag=tag, histo=found)

    def pr_curve(self, tag: str, tp: ArrayLike, fp: ArrayLike, true_boxes: int, step: int = 0) -> None:
        """Add precision by recall, of true and false positives from each of (N,) scores on, evenly spaced 0 to 1."""
        right, wrong = np.asarray(tp, np.float64), np.asarray(fp, np.float64)
        precision = right / np.maximum(1, right + wrong)
        recall = right / max(1, true_boxes)
        rows = np.stack([right, wrong, np.zeros_like(right), true_boxes - right, precision, recall])
        self._add(step, tag=tag, tensor=make_tensor_proto(rows.astype(np.float32)), metadata=_of_plugin('pr_curves'))

    def hparams(self, settings: Mapping[str, Setting], metrics: Sequence[str]) -> None:
        """Tell once what a run was set to, and by which tags of scalars runs are compared.

        Names and types must be equal in all runs: TensorBoard takes the columns of its table from one of them.
        """
        columns = [api_pb2.HParamInfo(name=name, type=_column_type(value)) for name, value in settings.items()]
        names = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in metrics]
        start = plugin_data_pb2.SessionStartInfo(start_time_secs=time.time())
        for name, value in settings.items():
            setattr(start.hparams[name], _value_field(value), _sound(value) if isinstance(value, str) else value)
        experiment = api_pb2.Experiment(hparam_infos=columns, metric_infos=names)
        self._add_of_hparams(hparams_metadata.EXPERIMENT_TAG, experiment=experiment)
        self._add_of_hparams(hparams_metadata.SESSION_START_INFO_TAG, session_start_info=start)

    def success(self) -> None:
        """Tell that the run which `hparams` began has ended well."""
        end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
        self._add_of_hparams(hparams_metadata.SESSION_END_INFO_TAG, session_end_info=end)

    def _add_of_hparams(self, tag: str, **content: Any) -> None:
        metadata = hparams_metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(**content))
        self._add(0, tag=tag, metadata=metadata, tensor=make_tensor_proto(np.zeros(0, np.float32)))

    def _add(self, step: int, tag: str, **value: Any) -> None:
        self._write(Event(step=int(step), summary=Summary(value=[Summary.Value(tag=_sound(tag), **value)])))

    def _write(self, event: Event) -> None:
        if self._file is None:
            return
        event.wall_time = time.time()
        try:
            RecordWriter(self._file).write(event.SerializeToString())
        except OSError as error:
            self.close()
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        logger.warning('tensorboard: nothing more is written: %s', first_line(error))


def markdown_table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """Write a table, its texts as they are; numbers with a fraction get three decimals."""
    lines = [list(map(_cell, row)) for row in (head, *rows)]
    lines.insert(1, ['---'] * len(head))
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def escaped(text: str) -> str:
    """Write a text so that Markdown and HTML find nothing of their own in it."""
    plain = ' '.join(text.replace('&', '&amp;').replace('<', '&lt;').split())
    return ''.join(f'&#{ord(one)};' if one in '\\`*_{}[]()#+-.!|>~:' else one for one in plain)


def _sound(text: str) -> str:
    """Replace what UTF-8 has no bytes for, since an event cannot hold it."""
    return text.encode('utf-8', 'replace').decode('utf-8')


def _cell(value: object) -> str:
    return f'{value:.3f}' if isinstance(value, float) else escaped(str(value))


def _encoded(picture: Union[NDArray[np.uint8], bytes]) -> Tuple[bytes, Tuple[int, int]]:
    """Encode a picture, made smaller if it must be; returns also its height and width."""
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) if isinstance(picture, bytes) else picture
    fits = max(pixels.shape[:2]) <= SIDE
    if not fits:
        pixels, _ = shrunk(pixels, SIDE)
    height, width = pixels.shape[:2]
    return (picture if fits and isinstance(picture, bytes) else jpeg_bytes(pixels)), (height, width)


def _of_plugin(name: str) -> SummaryMetadata:
    return SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=name))


def _column_type(value: Setting) -> int:
    if isinstance(value, str):
        return int(api_pb2.DATA_TYPE_STRING)
    return int(api_pb2.DATA_TYPE_BOOL if isinstance(value, bool) else api_pb2.DATA_TYPE_FLOAT64)


def _value_field(value: Setting) -> str:
    if isinstance(value, str):
        return 'string_value'
    return 'bool_value' if isinstance(value, bool) else 'number_value'
