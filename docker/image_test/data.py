"""Choose what the image's tasks run on: an exported dataset beside the repository, or drawn shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from demo import shapes
from tests.support.exports import as_export

_COMMON = {'config_file': shapes.CONFIG_FILE, 'samples_per_gpu': 8, 'workers_per_gpu': 2}


class Data(NamedTuple):
    """A dataset and what a short training on it must reach.

    Attributes:
        name: for people.
        training, candidates: `in` folders as the platform exports them.
        weights: what to start from, or nothing.
        config: parameters of the training.
        least_map: mAP above which the training is sound.
        conf_threshold: of the inference.
        least_boxes: boxes an image, on average, above which the inference is sound.
    """

    name: str
    training: Path
    candidates: Path
    weights: tuple[Path, ...]
    config: dict[str, Any]
    least_map: float
    conf_threshold: float
    least_boxes: float


def find_data(shared: Path, folder: Path) -> Data:
    """Return bccd, with the official COCO weights, where it is in `shared`, else shapes, drawn below `folder`."""
    bccd = shared / 'data' / 'bccd'
    if bccd.is_dir():
        return Data(
            'bccd',
            bccd / 'training-ark' / 'in',
            bccd / 'mining' / 'in',
            (shared / 'weights' / 'yolox_nano_coco_megvii.pth',),
            {**_COMMON, 'max_epochs': 3},
            # 0.25 measured, the first epoch being warm-up; after two it is 0.14 to 0.38, as the processor rounds. From
            # scratch, or with boxes out of place, it is near 0.
            least_map=0.1,
            conf_threshold=0.2,
            least_boxes=5,  # of 13; 22 measured
        )
    shapes.write_task(folder / 'training', 160, 40)
    shapes.write_candidates_task(folder / 'candidates', 40)
    options = f'optim_wrapper.optimizer.lr=0.01 {shapes.size_options(192)}'
    return Data(
        'drawn shapes',
        as_export(folder / 'training'),
        as_export(folder / 'candidates'),
        (),
        {**_COMMON, 'max_epochs': 8, 'val_interval': 8, 'cfg_options': options},
        # 0.26 measured; after 4 of the 8 epochs it is still 0.
        least_map=0.05,
        conf_threshold=0.05,
        least_boxes=1,  # of 9
    )
