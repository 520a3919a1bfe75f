"""Schedules scaled to short and long runs; expected epochs are worked out by hand."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from executor.config.read import load_config
from executor.training.schedule import (
    AS_PUBLISHED,
    FineTuning,
    fine_tuning_of,
    keep_published_schedule,
    scale_learning_rate,
    scale_schedule,
)

YOLOX = 'configs/yolox/yolox_s_8x8_300e_coco.py'


def yolox_phases(max_epochs: int):
    config = load_config(YOLOX)
    scale_schedule(config, max_epochs, iterations_per_epoch=10)
    phases = [(s['type'], s['begin'], s['end']) for s in config.param_scheduler]
    return phases, config.custom_hooks[0]['num_last_epochs'] + 1, config


# 5 and 15 of 300, at least one each: 100 epochs have 5/3 -> 2 and 5.
@pytest.mark.parametrize(
    'max_epochs, warmup, decay_end, closing',
    [(3, 1, 2, 1), (6, 1, 5, 1), (10, 1, 9, 1), (30, 1, 28, 2), (100, 2, 95, 5), (300, 5, 285, 15), (600, 10, 570, 30)],
)
def test_phases_are_in_proportion(max_epochs, warmup, decay_end, closing):
    phases, without_mosaic, config = yolox_phases(max_epochs)
    assert phases == [
        ('QuadraticWarmupLR', 0, warmup),
        ('CosineAnnealingLR', warmup, decay_end),
        ('ConstantLR', decay_end, max_epochs),
    ]
    assert without_mosaic == closing
    assert config.param_scheduler[1]['T_max'] == decay_end - warmup


@pytest.mark.parametrize('max_epochs', [1, 2])
def test_a_run_too_short_for_all_phases(max_epochs):
    phases, without_mosaic, _ = yolox_phases(max_epochs)
    assert phases == [('QuadraticWarmupLR', 0, 1), ('CosineAnnealingLR', 1, 2)][:max_epochs]
    assert without_mosaic == 1


# Published are 12 epochs with steps after 8 and 11, and a warm-up of 500 iterations, cut to a tenth of the run.
@pytest.mark.parametrize(
    'max_epochs, iterations, warmup_end, milestones',
    [(36, 25, 90, [24, 33]), (2, 1000, 200, [1])],  # 8 of 12 is 1.33; 11 of 12 rounds to the end: nothing follows
)
def test_steps_and_a_warmup_in_iterations(max_epochs, iterations, warmup_end, milestones):
    config = load_config('configs/retinanet/retinanet_r50_fpn_1x_coco.py')
    scale_schedule(config, max_epochs, iterations)
    warmup, steps = config.param_scheduler
    assert (warmup['type'], warmup['end']) == ('LinearLR', warmup_end)
    assert (steps['milestones'], steps['end']) == (milestones, max_epochs)


@pytest.mark.parametrize('total_batch, rate', [(64, 0.01), (8, 0.00125), (16, 0.0025), (128, 0.02)])
def test_learning_rate_is_linear_in_the_batch(total_batch, rate):
    config = load_config(YOLOX)
    scale_learning_rate(config, total_batch)
    assert config.optim_wrapper.optimizer.lr == pytest.approx(rate)


def test_a_package_brings_the_published_schedule_back():
    """Training on from a package of a short run: its own schedule of 6 epochs must not become that of 300."""
    config = load_config(YOLOX)
    keep_published_schedule(config)
    scale_schedule(config, 6, 10)
    scale_learning_rate(config, 8)
    again = Config(config.to_dict())
    keep_published_schedule(again)
    scale_schedule(again, 300, 10)
    scale_learning_rate(again, 64)
    assert [(s['begin'], s['end']) for s in again.param_scheduler] == [(0, 5), (5, 285), (285, 300)]
    assert again.optim_wrapper.optimizer.lr == pytest.approx(0.01)
    assert again.custom_hooks[0]['num_last_epochs'] == 14


# Half of the run, the 15 that are published, or 15 of 300: the middle of them, but for runs too short for one epoch.
@pytest.mark.parametrize(
    'max_epochs, closing', [(1, 1), (3, 2), (6, 3), (20, 10), (29, 14), (30, 15), (100, 15), (300, 15), (600, 30)]
)
def test_a_short_run_from_pretrained_weights_closes_earlier(max_epochs, closing):
    config = load_config(YOLOX)
    scale_schedule(config, max_epochs, 10, FineTuning(closing_share=0.5))
    assert config.custom_hooks[0]['num_last_epochs'] + 1 == closing


# 0.01 times (batch / 64) to the power: an eighth squared, to the third root, is a quarter.
@pytest.mark.parametrize(
    'power, total_batch, rate', [(2 / 3, 8, 0.0025), (0.5, 16, 0.005), (2 / 3, 64, 0.01), (2 / 3, 512, 0.04)]
)
def test_the_learning_rate_goes_with_a_power_of_the_batch(power, total_batch, rate):
    config = load_config(YOLOX)
    scale_learning_rate(config, total_batch, fine_tuning=FineTuning(learning_rate_power=power))
    assert config.optim_wrapper.optimizer.lr == pytest.approx(rate)
    scale_learning_rate(config, total_batch, 0.125, FineTuning(learning_rate_power=power))
    assert config.optim_wrapper.optimizer.lr == 0.125


def test_most_detectors_are_fine_tuned_as_published():
    assert fine_tuning_of(load_config('configs/retinanet/retinanet_r50_fpn_1x_coco.py')) == AS_PUBLISHED
    assert fine_tuning_of(load_config(YOLOX)) == FineTuning(2 / 3, 0.5)
