"""Read the layouts that people keep their images and boxes in."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Optional, Sequence

from desk.layouts.coco import read_coco_layout
from desk.layouts.csv_table import read_csv_layout
from desk.layouts.dataset import Dataset
from desk.layouts.images import read_images_layout
from desk.layouts.voc import read_voc_layout
from desk.layouts.yolo import read_yolo_layout

# Of files or folders, and a folder of images where that is not found.
LayoutReader = Callable[[Sequence[Path], Optional[Path]], Dataset]

LAYOUTS: Dict[str, LayoutReader] = {
    'coco': read_coco_layout,
    'voc': read_voc_layout,
    'yolo': read_yolo_layout,
    'csv': read_csv_layout,
    'images': read_images_layout,
}
