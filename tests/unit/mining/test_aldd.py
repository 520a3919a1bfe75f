"""aldd against its definition, computed slowly; its invariances; its quick way against its exact one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import log

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from executor.detections import HeadMap
from executor.images.decode import read_image
from executor.images.prepare import Letterbox
from mining.aldd.cells import cell_maxima
from mining.aldd.definition import aldd_by_definition, class_values
from mining.aldd.estimate import bound, estimate
from mining.aldd.score import TOLERANCE, AlddScorer, aldd_parts, aldd_scores
from mining.base import Candidates

QUICK = 0.03  # relative error of the quick way on one image


def blobs(rng, classes, height, width, background=-9.0):
    """(classes, h, w) logits like a trained detector's: a low background, and peaks of very different height."""
    y, x = np.mgrid[:height, :width]
    logits = np.full((classes, height, width), background) + rng.normal(0, 0.5, (classes, height, width))
    for c in range(classes):
        for _ in range(rng.integers(1, 4)):
            cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.5, 3)
            logits[c] += rng.uniform(2, 12) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * r**2))
    return logits.astype(np.float32)


def image(seed, classes=3, sizes=((13, 13), (7, 7)), objectness=True):
    """Levels (class logits, objectness logits or None) of one image."""
    rng = np.random.default_rng(seed)
    return [(blobs(rng, classes, h, w), blobs(rng, 1, h, w, -3.0)[0] if objectness else None) for h, w in sizes]


def head_maps(*images):
    """The images' levels as the detector gives them, one anchor a position."""
    maps = []
    for levels in zip(*images):
        objectness = None if levels[0][1] is None else torch.from_numpy(np.stack([o for _, o in levels])[:, None])
        maps.append(HeadMap(torch.from_numpy(np.stack([c for c, _ in levels])[:, None]), objectness))
    return maps


def probabilities(levels):
    return [torch.from_numpy(1 / (1 + np.exp(-c)) / (1 + np.exp(-o))) for c, o in levels]


def every_cell(levels, size, like, keep=None):
    """The largest uncertainties in all cells of (C, R, K), of all levels or those to keep."""
    wanted = torch.ones_like(like).nonzero()
    keep = torch.tensor([True] * len(levels) if keep is None else keep)
    return cell_maxima(levels, wanted, keep[:, None].expand(-1, len(wanted)), size).view_as(like)


# --- the definition -------------------------------------------------------------------------------------------------


def test_the_definition_itself_by_hand():
    """A step from p = 0 to p = 1 between pixels 8 and 9 of one row of 18 is seen by the windows that reach over it.

    Resized to itself; the window around 8 has pixels 4..12, 4 of 9 are ones: u = H(4 / 9), the largest there is.
    """
    logits = np.where(np.arange(18) < 9, -800.0, 800.0)[None, None]
    u = -(4 / 9) * log(4 / 9) - (5 / 9) * log(5 / 9)
    with np.errstate(over='ignore'):
        assert class_values([(logits, None)], (1, 18)) == [pytest.approx(u, rel=1e-9)]
    maps = [HeadMap(torch.from_numpy(logits)[None, None].float(), None)]
    assert aldd_scores(maps, (1, 18), exact=True) == pytest.approx([u], rel=1e-4)


@pytest.mark.parametrize('exact', [True, False])
@pytest.mark.parametrize('logit, error', [(1.5, 1e-6), (-200.0, 1e-12)])
def test_a_constant_map_has_no_uncertainty(logit, error, exact):
    """Also at the borders and in the corners, which are not padded."""
    maps = [HeadMap(torch.full((1, 1, 2, 8, 8), logit), None)]
    assert aldd_scores(maps, (64, 64), exact=exact) == pytest.approx([0], abs=error)


@pytest.mark.parametrize('objectness', [True, False])
@pytest.mark.parametrize(
    'sizes, size',
    [
        (((2, 2),), (64, 64)),  # two positions, two cells along each axis
        (((13, 13),), (104, 104)),  # stride 8, the last cells have 8 pixels
        (((13, 13), (7, 7), (4, 4)), (104, 104)),  # strides that do not divide the size
        (((8, 12), (4, 6), (2, 3)), (64, 96)),
        (((1, 1), (2, 1)), (30, 20)),  # less than a cell
        (((5, 9),), (33, 97)),  # one pixel in the last cells
        (((26, 26),), (104, 104)),  # stride 4
        (((13, 13),), (416, 416)),  # stride 32, at the input size of YOLOX-nano
    ],
)
def test_exact_scores_follow_the_definition(sizes, size, objectness):
    levels = image(sum(size), classes=3, sizes=sizes, objectness=objectness)
    weights = [1.0, 0.25, 3.0]
    expected = aldd_by_definition(levels, size, weights)
    assert expected > 1e-6 or sizes[0] == (1, 1)
    found = aldd_scores(head_maps(levels), size, weights, exact=True)
    assert found == pytest.approx([expected], rel=TOLERANCE, abs=1e-7)


@pytest.mark.parametrize('seed', range(3))
def test_each_cell_follows_the_definition(seed):
    """Without any choice of cells: class by class, and a level left out counts nothing."""
    levels = image(seed, classes=2, sizes=((12, 16), (6, 8)))
    size = (96, 128)
    for keep in ([True, True], [True, False], [False, True]):
        found = every_cell(probabilities(levels), size, torch.ones(2, 3, 4), keep).mean(dim=(1, 2))
        expected = class_values([level for level, use in zip(levels, keep) if use], size)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize('exact', [True, False])
def test_certain_maps_are_no_trouble(exact):
    """Logits whose sigmoid is 0 or 1 in float32."""
    logits = torch.where(torch.rand(1, 1, 2, 8, 8, generator=torch.manual_seed(0)) < 0.5, -200.0, 200.0)
    assert 0 < aldd_scores([HeadMap(logits, None)], (64, 64), exact=exact)[0] < 2 * log(2)


# --- what a score is made of -----------------------------------------------------------------------------------------


def test_the_cells_by_hand():
    """As above, in the first of two cells of a row of 64: it adds u, the other nothing, and the score is their mean."""
    logits = torch.full((1, 1, 2, 1, 64), -800.0)
    logits[0, 0, 1, 0, 9:] = 800.0
    u = -(4 / 9) * log(4 / 9) - (5 / 9) * log(5 / 9)
    candidates = Candidates(positions=[0], head_maps=[HeadMap(logits, None)], input_size=(1, 64), scales=[(0.5, 2.0)])
    for exact in (True, False):
        (why,) = AlddScorer(class_weights=(1.0, 3.0), exact=exact).explain(candidates)
        np.testing.assert_allclose(why.heat.values, [[3 * u, 0]], rtol=1e-4, atol=1e-6)
        assert why.heat.cell == (
            64,
            16,
        )  # pixels of the image: 32 of the input, which is half as wide and twice as high
        np.testing.assert_allclose(why.class_parts, [0, 1.5 * u], rtol=1e-4, atol=1e-6)
        assert why.score == pytest.approx(1.5 * u, rel=1e-4)


@pytest.mark.parametrize('exact', [True, False])
def test_cells_and_classes_add_up_to_the_score(exact):
    levels, size, weights = image(7, classes=5), (104, 104), (1.0, 0.25, 3.0, 0.0)
    (parts,) = aldd_parts(head_maps(levels), size, weights, exact)
    assert parts.cells.shape == (4, 4) and (parts.cells >= 0).all()
    assert parts.score == parts.cells.mean() == pytest.approx(parts.classes.sum(), rel=1e-12)
    expected = np.array([*weights, 1.0]) * class_values(levels, size)
    error = TOLERANCE if exact else 2 * QUICK
    np.testing.assert_allclose(parts.classes, expected, atol=error * expected.sum())
    assert parts.classes[3] == 0


# --- weights, anchors, batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize('exact', [True, False])
def test_weights_count_and_the_missing_are_one(exact):
    levels = image(5, classes=4)
    size = (104, 104)
    values = class_values(levels, size)
    rel = TOLERANCE if exact else QUICK

    def score(*weights):
        return aldd_scores(head_maps(levels), size, weights, exact)[0]

    assert score() == pytest.approx(sum(values), rel=rel)
    assert score(0.0, 2.0) == pytest.approx(2 * values[1] + values[2] + values[3], rel=rel)
    assert score(0, 0, 0, 0) == 0
    assert score(0, 0, 0, 1.0) == pytest.approx(values[3], rel=rel)


@pytest.mark.parametrize('exact', [True, False])
def test_the_strongest_anchor_speaks_for_its_position(exact):
    one, other = image(1, classes=2), image(2, classes=2)
    pairs = zip(head_maps(one), head_maps(other))
    both = [HeadMap(*(torch.cat(anchors, 1) for anchors in zip(*pair))) for pair in pairs]
    strongest = [torch.maximum(p, q).double() for p, q in zip(probabilities(one), probabilities(other))]
    as_logits = [(torch.logit(p).numpy(), None) for p in strongest]
    expected = aldd_by_definition(as_logits, (104, 104), [1.0, 1.0])
    assert aldd_scores(both, (104, 104), exact=exact) == pytest.approx([expected], rel=TOLERANCE if exact else QUICK)


@pytest.mark.parametrize('exact', [True, False])
def test_an_image_depends_neither_on_its_batch_nor_on_the_thread(exact):
    images = [image(seed, classes=5) for seed in range(5)]
    together = aldd_scores(head_maps(*images), (104, 104), exact=exact)
    with ThreadPoolExecutor(3) as pool:
        alone = list(pool.map(lambda levels: aldd_scores(head_maps(levels), (104, 104), exact=exact)[0], images))
    assert together.tolist() == alone
    assert together.dtype == np.float64
    assert len(set(alone)) == 5


def test_the_scorer_hands_its_settings_on():
    maps = head_maps(image(3), image(4))
    candidates = Candidates(positions=[8, 9], head_maps=maps, input_size=(104, 104))
    for exact in (True, False):
        scorer = AlddScorer(class_weights=(2.0,), exact=exact)
        np.testing.assert_array_equal(scorer.score(candidates), aldd_scores(maps, (104, 104), [2.0], exact))
    half = [HeadMap(level.class_logits.half(), level.objectness_logits.half()) for level in maps]
    np.testing.assert_allclose(aldd_scores(half, (104, 104)), aldd_scores(maps, (104, 104)), rtol=0.02)


# --- what is left out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('sizes, size', [(((13, 13),), (104, 104)), (((26, 26),), (104, 104)), (((4, 6),), (128, 192))])
@pytest.mark.parametrize('seed', range(4))
def test_no_cell_is_above_its_bound(seed, sizes, size):
    rng = np.random.default_rng(seed)
    noise = rng.normal(-3, 4, (2, *sizes[0])).astype(np.float32)
    certain = np.where(rng.random((2, *sizes[0])) < 0.2, 20, -20).astype(np.float32)
    for logits in (blobs(rng, 2, *sizes[0]), -blobs(rng, 2, *sizes[0]), noise, certain):
        p = torch.from_numpy(logits).double().sigmoid()
        at_most = bound(p, size)
        found = every_cell([p], size, at_most)
        assert (found <= at_most + 1e-12).all()
        assert (found > at_most / 1000).any()  # and it says something


def test_estimates_are_near_three_quarters():
    levels = image(11, classes=20, sizes=((26, 26), (13, 13)))
    about = estimate(probabilities(levels), (208, 208))
    found = every_cell(probabilities(levels), (208, 208), about)
    assert about.sum() / found.sum() == pytest.approx(1 / 1.3, rel=0.05)


def test_the_quick_way_ranks_as_the_exact_one():
    maps = head_maps(*[image(seed, classes=40, sizes=((26, 26), (13, 13), (7, 7))) for seed in range(30)])
    exact, quick = aldd_scores(maps, (208, 208), exact=True), aldd_scores(maps, (208, 208))
    np.testing.assert_allclose(quick, exact, rtol=QUICK)
    assert (quick != exact).any()
    assert spearmanr(quick, exact).statistic >= 0.99


# --- a trained detector's maps --------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def real_maps(shared_data):
    """The head maps of YOLOX-nano, as its authors exported it, for the 80 images of coco80."""
    pytest.importorskip('onnxruntime')
    from tests.support.official import official_graph

    graph = official_graph(shared_data.parent / 'weights')
    prepare = Letterbox((416, 416), keep_ratio=True, pad_to_square=True, pad_value=(114.0, 114.0, 114.0))
    folder = shared_data / 'coco80'
    outputs = []
    for line in (folder / 'mining' / 'in' / 'candidate-index.tsv').read_text().split():
        pixels = prepare(read_image(folder / 'assets' / line.partition('/assets/')[2])).pixels
        outputs.append(graph(pixels)[:, 4:])
    logits = torch.logit(torch.from_numpy(np.stack(outputs)).double(), eps=1e-9).float()  # (80, 3549, 81)
    maps, start = [], 0
    for side in (52, 26, 13):
        level = logits[:, start : start + side * side].transpose(1, 2).reshape(80, 81, side, side)
        maps.append((level[:, 1:], level[:, 0]))
        start += side * side
    return maps


@pytest.mark.shared
@pytest.mark.parametrize('classes', [[0, 1, 2], [39, 41, 45], list(range(0, 80, 5))])
def test_quick_and_exact_rank_real_images_alike(real_maps, classes):
    maps = [HeadMap(c[:, None, classes], o[:, None]) for c, o in real_maps]
    exact, quick = aldd_scores(maps, (416, 416), exact=True), aldd_scores(maps, (416, 416))
    assert spearmanr(quick, exact).statistic >= 0.999
    assert set(np.argsort(-quick)[:8]) == set(np.argsort(-exact)[:8])
    np.testing.assert_allclose(quick, exact, rtol=QUICK)


@pytest.mark.shared
def test_exact_follows_the_definition_on_a_real_image(real_maps):
    for number, classes in ((0, [0, 33]), (7, [2, 56])):
        levels = [(c[number, classes].numpy(), o[number].numpy()) for c, o in real_maps]
        expected = aldd_by_definition(levels, (416, 416), [1.0, 1.0])
        maps = [HeadMap(c[number : number + 1, None, classes], o[number : number + 1, None]) for c, o in real_maps]
        assert aldd_scores(maps, (416, 416), exact=True) == pytest.approx([expected], rel=TOLERANCE)


@pytest.mark.gpu
def test_a_gpu_says_the_same():
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    maps = head_maps(*[image(seed, classes=20) for seed in range(3)])
    on_gpu = [HeadMap(level.class_logits.cuda(), level.objectness_logits.cuda()) for level in maps]
    for exact in (True, False):
        cpu, gpu = (aldd_scores(where, (104, 104), exact=exact) for where in (maps, on_gpu))
        np.testing.assert_allclose(gpu, cpu, rtol=TOLERANCE)
