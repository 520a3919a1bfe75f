"""YOLOv3: mmdet's network to its outputs and boxes, and mmdet's recipe but for the norms of the backbone."""

from __future__ import annotations

import numpy as np
import pytest

from executor.config.read import load_config
from executor.models.anchored import AnchoredHead
from tests.support.zoo import TOLERANCE, Zoo, built, outputs_of, parameter_count

CONFIG = 'configs/yolov3/yolov3_d53_8x8_273e_coco.py'


@pytest.mark.shared
def test_outputs_and_boxes_are_mmdets(shared_data):
    zoo = Zoo(shared_data, 'yolov3_d53')
    model = built(CONFIG)
    assert parameter_count(model) == zoo.fixture['parameters'] == 61_949_149
    model.load_state_dict(zoo.weights())
    raw = outputs_of(model, zoo.image() / 255)
    assert zoo.largest_difference({f'bbox_head.convs_pred.{n}': level for n, level in enumerate(raw[0])}) < TOLERANCE
    check_boxes(zoo, AnchoredHead(model.bbox_head, class_scores=True), raw)


def check_boxes(zoo: Zoo, head: AnchoredHead, raw) -> None:
    """Compare the boxes of the fixture with all that the adapter makes, before any NMS."""
    head.least_logit, head.score_threshold, head.most_before_nms = -np.inf, 0.0, -1
    found = head.candidates(raw)
    for sample in zoo.fixture['decoded']['samples']:
        level, anchor, y, x = (sample[key] for key in ('level', 'anchor', 'y', 'x'))
        height, width = raw[0][level].shape[2:]
        row = (anchor * height + y) * width + x  # as torch.where lists them
        box = found[level].boxes[row].numpy()
        limit = 1e-4 * np.maximum(1, np.abs(sample['box']))
        assert (np.abs(box - sample['box']) <= limit).all()
        scores = found[level].class_logits[row].sigmoid().numpy()
        np.testing.assert_allclose(scores, sample['classes'], atol=1e-4)
        assert float(found[level].objectness_logits[row].sigmoid()) == pytest.approx(sample['objectness'], abs=1e-4)


def test_the_recipe_is_mmdets():
    ours, theirs = load_config(CONFIG), load_config('configs/yolo/yolov3_d53_8xb8-ms-608-273e_coco.py')
    assert ours.model.backbone.pop('norm_eval') is False
    assert ours.model == theirs.model
    assert ours.train_dataloader.dataset == theirs.train_dataloader.dataset
    assert ours.val_dataloader.dataset.pipeline == theirs.val_dataloader.dataset.pipeline
    assert ours.train_dataloader.batch_sampler == theirs.train_dataloader.batch_sampler
    assert ours.optim_wrapper == theirs.optim_wrapper
    assert ours.param_scheduler == theirs.param_scheduler
    assert ours.auto_scale_lr.base_batch_size == theirs.auto_scale_lr.base_batch_size
    assert ours.train_cfg.max_epochs == theirs.train_cfg.max_epochs
