"""infer-result.json and result.tsv: what the platform reads of every candidate, written in one pass."""

from __future__ import annotations

import json
import math
from array import array
from typing import Dict, Iterable, Iterator, Sequence, Tuple

from executor.contract.env import NO_PROTOCOL, Env
from executor.contract.output.files import remove_file, replaced_file
from executor.contract.output.parts import remove_parts
from executor.contract.output.result_keys import ResultKeys

# Class name, score, (x, y, w, h) in whole pixels of the original image.
Box = Tuple[str, float, Tuple[int, int, int, int]]


def clear_candidate_results(env: Env) -> None:
    """Forget what an earlier run of the same task left in this /out; before any rank opens its part.

    A task that only mines leaves the result of an inference alone, and the other way round.
    """
    if env.run_infer:
        remove_file(env.output.infer_result_file)
    if env.run_mining:
        remove_file(env.output.mining_result_file)
    remove_parts(env)


# --- infer-result.json ----------------------------------------------------------------------------------------------


def infer_line(boxes: Iterable[Box]) -> str:
    """The boxes of one image as the platform reads them: JSON in one line, in the order given.

    Args:
        boxes: any number of them; scores are rounded to 6 decimals.

    Raises:
        AssertionError: a box is not of plain integers with x, y >= 0 and w, h >= 1, or a score is not finite.
    """
    return _json([_box_content(*box) for box in boxes])


def write_infer_result(env: Env, keys: ResultKeys, results: Iterable[Tuple[int, str]]) -> None:
    """Write infer-result.json, whole or not at all.

    Args:
        keys: of the index.
        results: position and `infer_line` of every candidate, in the order of the index.

    Raises:
        AssertionError: a position is missing, occurs twice or is out of order.
    """
    boxes = 'annotations' if env.protocol == NO_PROTOCOL else 'boxes'
    before = ''
    with replaced_file(env.output.infer_result_file) as stream:
        stream.write('{"detection": {')
        for position, line in enumerate(_each_once(results, len(keys))):
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
    return {
        'class_name': class_name,
        'score': round(float(score), 6),
        'box': {'x': x, 'y': y, 'w': w, 'h': h},
    }


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


# --- result.tsv -----------------------------------------------------------------------------------------------------


def score_text(score: float) -> str:
    """A score as it is written: the shortest text that reads back as the same double.

    So no two scores that differ become one, and the order that we sort by is the order of what is printed, also for
    scores that were computed in double precision.

    Raises:
        AssertionError: the score is not finite.
    """
    score = float(score) + 0.0  # + 0.0 makes -0.0 plain
    assert math.isfinite(score), f'a score of {score}'
    return repr(score)


def write_mining_result(env: Env, paths: Sequence[str], results: Iterable[Tuple[int, str]]) -> None:
    """Write result.tsv, whole or not at all: every candidate, the most worth labelling first, ties in index order.

    Args:
        paths: N image paths, as in the index; one that is listed twice has two lines.
        results: position and `score_text` of every candidate, in the order of the index.

    Raises:
        AssertionError: a position is missing, occurs twice or is out of order, or a score is not finite.
    """
    scores = array('d', (float(line) for line in _each_once(results, len(paths))))
    with replaced_file(env.output.mining_result_file) as stream:
        # `reverse` keeps the order of equal scores.
        for position in sorted(range(len(scores)), key=scores.__getitem__, reverse=True):
            stream.write(f'{paths[position]}\t{score_text(scores[position])}\n')


def _each_once(results: Iterable[Tuple[int, str]], count: int) -> Iterator[str]:
    expected = 0
    for position, line in results:
        assert position == expected < count, f'position {position} where {expected} of {count} is due'
        yield line
        expected += 1
    assert expected == count, f'results of {expected} candidates of {count}'
