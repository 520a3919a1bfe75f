"""The catalog names what there is, and a new algorithm is a module and a line."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from executor.detections import HeadMap, no_detections
from mining import catalog
from mining.base import Candidates, ClassWeigher, SeenView, ViewScorer
from mining.catalog import ALGORITHMS, Needs, Settings, make_scorer
from tests.unit.mining.found import found


def test_what_each_needs():
    assert list(ALGORITHMS.items()) == [  # in the order in which the user is told them
        ('aldd', Needs(head_maps=True)),
        ('cald', Needs(detections=True, class_scores=True, views=True)),
        ('entropy', Needs(detections=True)),
        ('random', Needs()),
    ]


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_each_scores_with_what_it_needs_and_no_more(algorithm):
    torch = pytest.importorskip('torch')
    needs = ALGORITHMS[algorithm]
    classes = [[0.9, 0.1]] if needs.class_scores else None
    image = np.full((60, 80, 3), 200, np.uint8)
    detections = [found([(10, 10, 40, 40)], [0.7], classes), no_detections(2 if needs.class_scores else None)]
    scorer = make_scorer(algorithm, Settings())
    assert isinstance(scorer, ViewScorer) == needs.views
    views = []
    if isinstance(scorer, ViewScorer):
        made = [scorer.make_views(image, one, position) for position, one in enumerate(detections)]
        assert [len(of_image) for of_image in made] == [4, 0]
        views = [[SeenView(view.boxes, detections[0]) for view in of_image] for of_image in made]
    logits = torch.linspace(-9, 3, 2 * 3 * 16).reshape(2, 1, 3, 4, 4)
    candidates = Candidates(
        positions=[7, 3],
        detections=detections if needs.detections else (),
        views=views,
        head_maps=[HeadMap(logits, None)] if needs.head_maps else (),
        input_size=(64, 64) if needs.head_maps else (0, 0),
    )
    scores = scorer.score(candidates)
    assert (scores.shape, scores.dtype) == ((2,), np.float64)
    assert np.isfinite(scores).all() and scores[0] != scores[1]


def test_the_settings_reach_their_algorithm():
    settings = Settings(class_weights=(2.0, 0.5), exact=True, seed=5)
    aldd, cald, entropy, chance = (make_scorer(name, settings) for name in ('aldd', 'cald', 'entropy', 'random'))
    assert aldd.exact
    assert aldd.class_weights == cald.class_weights == entropy.class_weights == (2.0, 0.5)
    assert [isinstance(one, ClassWeigher) for one in (aldd, cald, entropy, chance)] == [True, True, True, False]
    assert cald.seed == chance.seed == 5


def test_a_new_algorithm_is_a_module_and_a_line(monkeypatch):
    class CountScorer:
        def score(self, candidates):
            return np.array([len(found) for found in candidates.detections], np.float64)

    module = ModuleType('mining.count')
    module.scorer = lambda settings: CountScorer()
    monkeypatch.setitem(sys.modules, 'mining.count', module)
    monkeypatch.setattr(catalog, 'ALGORITHMS', {**ALGORITHMS, 'count': Needs(detections=True)})
    candidates = Candidates(positions=[0, 1], detections=[found([(0, 0, 1, 1)], [0.5]), no_detections()])
    assert make_scorer('count', Settings()).score(candidates).tolist() == [1, 0]
