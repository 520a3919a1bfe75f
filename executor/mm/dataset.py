"""The exported dataset as mmdet sees it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS

from executor.contract.annotations import read_records
from executor.contract.annotations.records import Box, Record
from executor.contract.errors import ExecutorError
from executor.contract.index import read_training_index
from executor.images import image_size, read_image

logger = logging.getLogger(__name__)

_SIZE_THREADS = 8  # reading a header is mostly waiting


@DATASETS.register_module()
class YmirDataset(BaseDetDataset):
    """Images and true boxes of one index file.

    Images without objects stay in: they teach what is background. Boxes are clipped to their image.

    Args:
        index_file: training or validation index, `<image>\\t<annotation>` a line.
        export_format: format of the annotations, such as `ark:raw`.
        metainfo: `classes`, the class names in the order of their ids.
    """

    def __init__(self, index_file: str, export_format: str, **kwargs: Any) -> None:
        self._index_file = Path(index_file)
        self._export_format = export_format
        super().__init__(**kwargs)

    def load_data_list(self) -> List[Dict[str, Any]]:
        """One dict an image, as mmdet's transforms expect it.

        Raises:
            DatasetError, ImageError: the index, an annotation or an image cannot be used.
        """
        records = read_records(read_training_index(self._index_file), self._export_format, self.metainfo['classes'])
        with ThreadPoolExecutor(_SIZE_THREADS) as pool:
            sizes = list(pool.map(lambda record: image_size(record.image), records))
        clipping = _Clipping()
        entries = [_entry(number, record, size, clipping) for number, (record, size) in enumerate(zip(records, sizes))]
        boxes = sum(len(entry['instances']) for entry in entries)
        logger.info('%s: %d images, %d boxes%s', self._index_file, len(entries), boxes, clipping.words())
        return entries

    def prepare_data(self, idx: int) -> Optional[Dict[str, Any]]:
        """Run the pipeline; a failure that comes from the image file is told as such."""
        try:
            return super().prepare_data(idx)
        except ExecutorError:
            raise
        except Exception:
            read_image(Path(self.get_data_info(idx)['img_path']))  # raises ImageError, naming the file
            raise


class _Clipping:
    """Counts of boxes that left their image, with the first of them."""

    def __init__(self) -> None:
        self.clipped = 0
        self.outside = 0
        self.first: Optional[Path] = None

    def words(self) -> str:
        if not self.clipped and not self.outside:
            return ''
        return f' ({self.clipped} clipped to their image, {self.outside} wholly outside skipped, first in {self.first})'


def _entry(number: int, record: Record, size: Tuple[int, int], clipping: _Clipping) -> Dict[str, Any]:
    width, height = size
    instances = []
    for box in record.boxes:
        clipped = _clip(box, width, height)
        if clipped[1:5] != box[1:5]:
            clipping.first = clipping.first or record.image
            if clipped.x2 <= clipped.x1 or clipped.y2 <= clipped.y1:
                clipping.outside += 1
                continue
            clipping.clipped += 1
        instances.append({'bbox': list(clipped[1:5]), 'bbox_label': box.label, 'ignore_flag': int(box.ignore)})
    return {
        'img_id': number,
        'img_path': str(record.image),
        'width': width,
        'height': height,
        'instances': instances,
    }


def _clip(box: Box, width: int, height: int) -> Box:
    return box._replace(
        x1=min(max(box.x1, 0), width),
        y1=min(max(box.y1, 0), height),
        x2=min(max(box.x2, 0), width),
        y2=min(max(box.y2, 0), height),
    )
