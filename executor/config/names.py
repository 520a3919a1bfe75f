"""Find what a config that mmdet 2 named is called today.

mmdet 3 has most words of a name, in another order and with a batch as `8xb2`. Its packaged metafiles say of many
configs what they were called, and in which folder their weights lie, which is the old name, too.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple
from urllib.parse import unquote

# What neither says, of detectors of boxes.
_OTHERWISE = {
    'ascend_retinanet_r18_fpn_1x8_1x_coco': 'retinanet_r18_fpn_1xb8-1x_coco',
    'ascend_ssd300_coco': 'ssd300_coco',
    'autoassign_r50_fpn_8x2_1x_coco': 'autoassign_r50-caffe_fpn_1x_coco',
    'bbox_r50_grid_center_fpn_gn-neck+head_1x_coco': 'reppoints-bbox_r50-center_fpn-gn_head-gn-grid_1x_coco',
    'bbox_r50_grid_fpn_gn-neck+head_1x_coco': 'reppoints-bbox_r50_fpn-gn_head-gn-grid_1x_coco',
    'crpn_r50_caffe_fpn_1x_coco': 'cascade-rpn_r50-caffe_fpn_1x_coco',
    'fcos_r50_caffe_fpn_gn-head_fp16_1x_bs8x8_coco': 'fcos_r50-caffe_fpn_gn-head_1x_coco',
    'ga_fast_r50_caffe_fpn_1x_coco': 'ga-fast-rcnn_r50-caffe_fpn_1x_coco',
    'ga_faster_r50_fpn_1x_coco': 'ga-faster-rcnn_r50_fpn_1x_coco',
    'reppoints_minmax_r50_fpn_gn-neck+head_1x_coco': 'reppoints-minmax_r50_fpn-gn_head-gn_1x_coco',
    'reppoints_partial_minmax_r50_fpn_gn-neck+head_1x_coco': 'reppoints-partial-minmax_r50_fpn-gn_head-gn_1x_coco',
    'ssd300_fp16_coco': 'ssd300_coco',
    'ssd300_wider_face': 'ssd300_8xb32-24e_widerface',
    'ssd512_fp16_coco': 'ssd512_coco',
    'vfnet_r2_101_fpn_mdconv_c3-c5_mstrain_2x_coco': 'vfnet_res2net101-mdconv-c3-c5_fpn_ms-2x_coco',
    'vfnet_r2_101_fpn_mstrain_2x_coco': 'vfnet_res2net-101_fpn_ms-2x_coco',
}
_WORDS = {'mstrain': 'ms', 'fp16': 'amp'}
_BATCH = re.compile(r'(\d+)x(\d+)')  # GPUs and images a GPU
_ENTRY = re.compile(r'^ *(- Name|Config|Weights): *(\S+)', re.MULTILINE)


def todays_name(name: str, groups: Sequence[Sequence[str]], former: Mapping[str, Set[str]]) -> Optional[str]:
    """Find the config that a name of mmdet 2 or 3 means; the folder does not count.

    Args:
        name: such as `faster_rcnn_r50_fpn_1x_coco.py`, with or without a path.
        groups: the configs there are, as paths; the first group in which exactly one fits counts.
        former: see `former_names`.
    """
    stem = _stem(name)
    words = _words(_OTHERWISE.get(stem, stem))
    fitting = [[config for config in configs if _words(_stem(config)) == words] for configs in groups]
    fitting.append([config for configs in groups for config in configs if config in former.get(stem, ())])
    return next((configs[0] for configs in fitting if len(configs) == 1), None)


def former_names(metafiles: Iterable[Path]) -> Dict[str, Set[str]]:
    """Read from mmdet's metafiles which configs each name stood for, as that of a config or of its weights' folder."""
    found: Dict[str, Set[str]] = defaultdict(set)
    for file in metafiles:
        entry: Dict[str, str] = {}
        for key, value in _ENTRY.findall(unquote(file.read_text(encoding='utf-8'))):
            entry = {key: value} if key == '- Name' else {**entry, key: value}
            for name in (entry.get('- Name', ''), entry.get('Weights', '').rpartition('/')[0].rpartition('/')[2]):
                found[name].add(entry.get('Config', ''))
    return found


def nearest_names(name: str, configs: Sequence[str]) -> List[str]:
    """Choose the few of `configs` whose names are most like this one."""
    by_stem = {_stem(config): config for config in configs}
    return [by_stem[stem] for stem in difflib.get_close_matches(_stem(name)[:100], by_stem, n=3)]


def _stem(name: str) -> str:
    return name.rpartition('/')[2].partition('.py')[0]


def _words(stem: str) -> Tuple[str, ...]:
    words = (_BATCH.sub(r'\1xb\2', word) if _BATCH.fullmatch(word) else word for word in re.split('[_+-]+', stem))
    return tuple(sorted(_WORDS.get(word, word) for word in words))
