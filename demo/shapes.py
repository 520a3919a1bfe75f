"""Draw images of shapes in three classes, and write small YMIR tasks on them: for the demo, tests and benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np

from demo.task_folder import add_annotation, add_image, write_config
from desk.task_folder import write_env, write_index

CLASS_NAMES = ('circle', 'square', 'triangle')
SIDE = 320  # pixels, of each image

# mmdet's configs name the image size at each transform; these are the places for images of another size.
CONFIG_FILE = 'configs/yolox/yolox_nano_8x8_300e_coco.py'


def size_options(side: int, spread: int = 64) -> str:
    """Return cfg_options that make YOLOX-nano test at `side` pixels and train at up to `spread` more or fewer."""
    pipeline = 'train_dataloader.dataset.pipeline'
    sizes = f'({side},{side})'
    return ' '.join(
        [
            f'{pipeline}.0.img_scale={sizes}',
            f'{pipeline}.1.border=({-side // 2},{-side // 2})',
            f'{pipeline}.4.scale={sizes}',
            f'val_dataloader.dataset.pipeline.1.scale={sizes}',
            f'test_dataloader.dataset.pipeline.1.scale={sizes}',
            f'model.data_preprocessor.batch_augments.0.random_size_range=({side - spread},{side + spread})',
        ]
    )


def write_task(
    root: Path, train_images: int, val_images: int, *, seed: int = 0, protocol: object = '1.1.0', **config: object
) -> Path:
    """Write a whole training task below `root` and return its env.yaml; `config` goes over config.yaml."""
    rng = np.random.default_rng(seed)
    for part, count in (('train', train_images), ('val', val_images)):
        write_index(root, f'{part}-index.tsv', [_write_sample(root, f'{part}-{n}', rng) for n in range(1, count + 1)])
    config.setdefault('config_file', CONFIG_FILE)
    write_config(root, **{'class_names': list(CLASS_NAMES), **config})
    return write_env(root, protocol=protocol)


def write_candidates_task(
    root: Path, images: int, *, mining: bool = True, infer: bool = True, seed: int = 100, **config: object
) -> Path:
    """Write a mining or inference task on new images, or one of both, below `root` and return its env.yaml."""
    rng = np.random.default_rng(seed)
    write_index(root, 'candidate-index.tsv', [_write_sample(root, f'new-{n}', rng)[:1] for n in range(1, images + 1)])
    write_config(root, **{'class_names': list(CLASS_NAMES), **config})
    return write_env(root, training=False, mining=mining, infer=infer)


def draw(rng: np.random.Generator) -> Tuple[np.ndarray, List[Tuple[int, int, int, int, int]]]:
    """Return an image (SIDE, SIDE, 3) uint8 of one to six shapes, and of each (label, xmin, ymin, xmax, ymax)."""
    low = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = cv2.resize(low, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    image = (image * 0.5 + rng.integers(0, 40, image.shape)).astype(np.uint8)
    taken = np.zeros((SIDE, SIDE), np.uint8)
    boxes = []
    for _ in range(int(rng.integers(1, 7))):
        size = int(rng.integers(24, 97))
        x, y = (int(v) for v in rng.integers(0, SIDE - size, 2))
        if taken[y : y + size, x : x + size].any():
            continue
        label = int(rng.integers(len(CLASS_NAMES)))
        mask = _mask(label, size)
        image[y : y + size, x : x + size][mask > 0] = rng.integers(96, 256, 3)
        taken[y : y + size, x : x + size] = 1
        rows, columns = np.where(mask > 0)
        boxes.append((label, x + int(columns.min()), y + int(rows.min()), x + int(columns.max()), y + int(rows.max())))
    return image, boxes


def _mask(label: int, size: int) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    end = size - 1
    if CLASS_NAMES[label] == 'circle':
        cv2.circle(mask, (end // 2, end // 2), end // 2, 1, -1)
    elif CLASS_NAMES[label] == 'square':
        cv2.rectangle(mask, (0, 0), (end, end), 1, -1)
    else:
        cv2.fillPoly(mask, [np.array([[end // 2, 0], [0, end], [end, end]])], 1)
    return mask


def _write_sample(root: Path, name: str, rng: np.random.Generator) -> Tuple[Path, Path]:
    """Write an image and its annotation in ark's form, whose corners are inclusive."""
    image, boxes = draw(rng)
    lines = ''.join(', '.join(str(value) for value in box) + ', -1.0, 0.0\n' for box in boxes)
    data = cv2.imencode('.jpg', image)[1].tobytes()
    return add_image(root, f'{name}.jpg', data), add_annotation(root, f'{name}.txt', lines)
