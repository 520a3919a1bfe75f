"""Write infer-result.json: the boxes of every candidate."""

from __future__ import annotations

import json
import math
import os
from typing import Dict, Iterable, List, Optional, Tuple

from executor.contract.env import NO_PROTOCOL, Env
from executor.contract.output.files import replaced_file
from executor.contract.output.parts import each_once

# Class name, score, (x, y, w, h) in whole pixels of the original image.
ListedBox = Tuple[str, float, Tuple[int, int, int, int]]


class ResultKeys:
    """The key of every candidate in infer-result.json, no key twice.

    The platform's key is the base name of the path. Where an earlier candidate of the index has it already, the key is
    the whole path as the index has it; where that is a key already too, the candidate gets none: the same image is
    listed again (or a path without a folder meets its own name).
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.repeated = 0  # how many candidates do not have their base name as key
        self.first_repeated: Optional[int] = None  # the position of the first of them
        self.without_key = 0  # how many of them have no key at all
        self._keys: List[Optional[str]] = []
        path_of: Dict[str, str] = {}  # by key
        for position, path in enumerate(paths):
            key = os.path.basename(path) or path  # a path that ends in a slash has no base name
            if key in path_of:
                self.repeated += 1
                if self.first_repeated is None:
                    self.first_repeated = position
                if path in path_of or path == path_of[key]:
                    self.without_key += 1
                    self._keys.append(None)
                    continue
                key = path
            path_of[key] = path
            self._keys.append(key)

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, position: int) -> Optional[str]:
        """Return the key of the candidate at a position, None where it gets no entry."""
        return self._keys[position]


def infer_line(boxes: Iterable[ListedBox]) -> str:
    """Write the boxes of one image as the platform reads them: JSON in one line, scores rounded to 6 decimals."""
    return _json([_box_content(*box) for box in boxes])


def write_infer_result(env: Env, keys: ResultKeys, results: Iterable[Tuple[int, str]]) -> None:
    """Write infer-result.json, whole or not at all, from position and `infer_line` of each candidate of the index."""
    boxes = 'annotations' if env.protocol == NO_PROTOCOL else 'boxes'
    before = ''
    with replaced_file(env.output.infer_result_file) as stream:
        stream.write('{"detection": {')
        for position, line in enumerate(each_once(results, len(keys))):
            key = keys.key(position)
            if key is not None:
                stream.write(f'{before}\n{_json(key)}: {{"{boxes}": {line}}}')
                before = ','
        stream.write('\n}}\n')


def _box_content(class_name: str, score: float, box: Tuple[int, int, int, int]) -> Dict[str, object]:
    # The platform rejects a float, json does not know numpy's integers, and a bool would become `true`.
    assert all(type(number) is int for number in box), f'a box that is not of plain integers: {box}'
    x, y, w, h = box
    assert min(x, y) >= 0 and min(w, h) >= 1, f'a box that is empty or begins outside its image: {box}'
    assert math.isfinite(score), f'a score of {score}'
    return {'class_name': class_name, 'score': round(float(score), 6), 'box': {'x': x, 'y': y, 'w': w, 'h': h}}


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)
