"""Real scores: the whole way from image to score against numpy on the outputs of Megvii's own graph."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from executor.contract.params import InferParams
from executor.detector.load import load_detector
from executor.images.decode import read_image
from mining.aldd.definition import aldd_by_definition
from mining.aldd.score import aldd_scores
from mining.entropy import entropy_score
from tests.support.official import decode, greedy_nms, official_graph
from tests.support.random_model import NANO

pytestmark = [pytest.mark.shared, pytest.mark.slow]

IMAGES = 6
LEVELS = (52, 26, 13)
SIDE = 416


@pytest.fixture(scope='module')
def scored(shared_data):
    """For each image ours and numpy's: entropies, quick and exact aldd."""
    weights = shared_data.parent / 'weights'
    names = [c['name'] for c in json.loads((shared_data / 'coco80/val-instances.json').read_text())['categories']]
    params = InferParams(tuple(names), (), (weights / 'yolox_nano_coco_megvii.pth',), config_file=NANO)
    detector = load_detector(params, cores=1, head_maps=True)
    graph = official_graph(weights)
    rows = []
    for line in (shared_data / 'coco80/mining/in/candidate-index.tsv').read_text().splitlines()[:IMAGES]:
        image = read_image(next((shared_data / 'coco80/assets').rglob(line.rpartition('/')[2])))
        prepared = detector.prepare(image)
        (found,) = detector([prepared])
        output = graph(prepared.pixels)
        row = {
            'entropy': entropy_score(found.detections.scores[:100]),
            'aldd': aldd_scores(found.head_maps, found.input_size)[0],
            'exact aldd': aldd_scores(found.head_maps, found.input_size, exact=True)[0],
            'entropy in numpy': entropy_in_numpy(output, prepared.scale),
            'aldd in numpy': aldd_in_numpy(output),
        }
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize(
    'ours, theirs, error', [('entropy', 'entropy', 0.03), ('aldd', 'aldd', 0.02), ('exact aldd', 'aldd', 0.002)]
)
def test_scores_are_those_of_numpy(scored, ours, theirs, error):
    found, expected = scored[ours], scored[f'{theirs} in numpy']
    assert len(set(found)) == IMAGES
    assert spearmanr(found, expected).statistic > 0.99
    np.testing.assert_allclose(found, expected, rtol=error)


def entropy_in_numpy(output: np.ndarray, scale) -> float:
    boxes, scores, labels = decode(output, scale)
    kept = greedy_nms(boxes, scores, labels, 0.01, 0.65)[:100]
    p = scores[kept].astype(np.float64)
    return float(-(p * np.log2(p)).sum())


def aldd_in_numpy(output: np.ndarray) -> float:
    """All weights 1. Classes that are nowhere more likely than 1e-4 are left out: together they add 0.04 percent."""
    p = (output[:, 4:5] * output[:, 5:]).astype(np.float64)  # (3549, 80)
    logits = np.log(p / (1 - p))[:, p.max(axis=0) > 1e-4].T
    levels = np.split(logits, np.cumsum([n * n for n in LEVELS])[:-1], axis=1)
    maps = [(level.reshape(-1, n, n), None) for level, n in zip(levels, LEVELS)]
    return aldd_by_definition(maps, (SIDE, SIDE), [1.0] * len(logits))
