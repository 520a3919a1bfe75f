"""Read what TensorBoard would show of a folder, by its own reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.util.tensor_util import make_ndarray


class Shown(NamedTuple):
    """What is shown, by tag and then by step; of several of one step the last."""

    scalars: dict[str, dict[int, float]]
    images: dict[str, dict[int, bytes]]  # PNG or JPEG
    texts: dict[str, dict[int, str]]
    curves: dict[str, dict[int, np.ndarray]]  # (6, N): tp, fp, tn, fn, precision, recall
    settings: dict[str, object]  # of the hparams
    metrics: list[str]  # tags that runs are compared by
    ended: bool  # whether the run was said to have ended well


def read_board(folder: Path) -> Shown:
    """Read all event files of a folder, which is one run: it holds no other folder."""
    assert not [path for path in folder.iterdir() if path.is_dir()]
    # All there is, of which TensorBoard shows ten pictures a tag.
    events = EventAccumulator(str(folder), dict.fromkeys(('scalars', 'images', 'tensors'), 0)).Reload()
    tags = events.Tags()
    contents = {tag: events.SummaryMetadata(tag).plugin_data for tag in tags['tensors']}
    tensors = {
        plugin: {
            tag: {event.step: make_ndarray(event.tensor_proto) for event in events.Tensors(tag)}
            for tag, data in contents.items()
            if data.plugin_name == plugin
        }
        for plugin in ('text', 'pr_curves')
    }
    parts = {tag: contents[tag].content for tag in contents if contents[tag].plugin_name == 'hparams'}
    start, experiment, end = metadata.SESSION_START_INFO_TAG, metadata.EXPERIMENT_TAG, metadata.SESSION_END_INFO_TAG
    return Shown(
        scalars={tag: {event.step: event.value for event in events.Scalars(tag)} for tag in tags['scalars']},
        images={
            tag: {event.step: event.encoded_image_string for event in events.Images(tag)} for tag in tags['images']
        },
        texts={
            tag: {step: text.item().decode('utf-8') for step, text in of.items()} for tag, of in tensors['text'].items()
        },
        curves=tensors['pr_curves'],
        settings=_settings(parts[start]) if start in parts else {},
        metrics=_metrics(parts[experiment]) if experiment in parts else [],
        ended=end in parts and metadata.parse_session_end_info_plugin_data(parts[end]).status == 1,
    )


def pixels(image: bytes) -> np.ndarray:
    """Decode a picture, (H, W, 3) BGR."""
    return cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)


def board_runner(board: object, **more: Any) -> dict[str, Any]:
    """Give a stand-in of a runner its board."""
    return {'visualizer': _Visualizer(board), **more}


class _Visualizer(NamedTuple):
    experiment: object

    def get_backend(self, name: str) -> _Visualizer:
        assert name == 'BoardBackend'
        return self


def _settings(content: bytes) -> dict[str, object]:
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    return {name: getattr(value, value.WhichOneof('kind')) for name, value in values.items()}


def _metrics(content: bytes) -> list[str]:
    return [one.name.tag for one in metadata.parse_experiment_plugin_data(content).metric_infos]
