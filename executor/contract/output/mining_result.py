"""Write result.tsv: every candidate with its score, the most worth labelling first."""

from __future__ import annotations

import itertools
import math
from array import array
from typing import Iterable, Sequence, Tuple

from executor.contract.env import Env
from executor.contract.output.files import replaced_file
from executor.contract.output.parts import each_once


def score_text(score: float) -> str:
    """Write a score as the shortest text that reads back as the same double.

    So no two scores that differ become one, and the order that we sort by is the order of what is printed, also for
    scores that were computed in double precision. A score that is not finite raises an AssertionError.
    """
    score = float(score) + 0.0  # + 0.0 makes -0.0 plain
    assert math.isfinite(score), f'a score of {score}'
    return repr(score)


def write_mining_result(
    env: Env, paths: Sequence[str], results: Iterable[Tuple[int, str]], first: Sequence[int] = ()
) -> None:
    """Write result.tsv whole, from position and `score_text` of each candidate: by descending score, ties as listed.

    The positions in `first` come before the others, in their order. Since the file is one of falling scores, each place
    then has the score that it has without them.
    """
    scores = array('d', (float(line) for line in each_once(results, len(paths))))
    # `reverse` keeps the order of equal scores.
    by_score = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    taken = set(first)
    order = itertools.chain(first, (position for position in by_score if position not in taken))
    with replaced_file(env.output.mining_result_file) as stream:
        for position, scored in zip(order, by_score):
            stream.write(f'{paths[position]}\t{score_text(scores[scored])}\n')
