"""The life of a model of each family, through start.py: trained, killed, resumed, mined with, and fine-tuned from."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
import yaml

from demo import shapes
from demo.task_folder import write_config
from executor.config.plain import read_plain_config
from tests.support.effdet import effdet_parameters
from tests.support.start import detections_of, ranking_of, result_of, run, start, wait_for
from tests.support.ultralytics import save_of_a_training, tiny_parameters

pytestmark = pytest.mark.slow

# Of each family the config whose modules are its own, a small size, and what makes the network small.
FAMILIES = {
    'configs/yolox/yolox_darknet53_8x8_300e_coco.py': ('64', ''),
    'configs/yolov5/yolov5n_8x8_300e_coco.py': ('64', ''),
    'configs/yolov3/yolov3_spp_8x8_273e_coco.py': ('64', ''),
    'configs/efficientdet/efficientdet_d0_8x8_300e_coco.py': ('128', ''),
    # mmdet's own, by its name in mmdet 2.
    'fcos_r50_caffe_fpn_gn-head_1x_coco.py': (
        *('64,64', 'model.backbone.depth=18 model.neck.in_channels=[64,128,256,512]'),
    ),
}


@pytest.mark.parametrize('config_file', FAMILIES, ids=lambda value: str(value).rpartition('/')[2])
def test_a_model_lives(tmp_path, config_file):
    size, options = FAMILIES[config_file]
    values = {'samples_per_gpu': 3, 'workers_per_gpu': 0}
    training = {**values, 'config_file': config_file, 'input_size': size, 'cfg_options': options}
    env_file = shapes.write_task(tmp_path, 6, 2, max_epochs=2, max_keep_checkpoints=-1, **training)
    process = start(env_file)
    wait_for(process, lambda: (tmp_path / 'out/training/resume.pth').is_file())
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    config = yaml.safe_load((tmp_path / 'in/config.yaml').read_text(encoding='utf-8'))
    write_config(tmp_path, **{**config, 'args_options': '--resume'})
    output = run(env_file)
    assert 'epoch 1 of 2' not in output and 'epoch 2 of 2' in output
    files = result_of(env_file)['model_stages']['epoch_2']['files']
    package = [str(tmp_path / 'out/models/epoch_2' / name) for name in files]
    for algorithm in ('aldd', 'cald'):  # by the raw outputs, and by boxes of several views
        root = tmp_path / algorithm
        mining = {**values, 'mining_algorithm': algorithm, 'infer': algorithm == 'aldd', 'model_params_path': package}
        output = run(shapes.write_candidates_task(root, 3, conf_threshold=0, **mining))
        assert len(ranking_of(root / 'in/env.yaml')) == 3
        assert 'detector: onnxruntime on' in output
    assert len(detections_of(tmp_path / 'aldd/in/env.yaml')) == 3
    fine = {**values, 'config_file': Path(config_file).name, 'pretrained_model_params': package}
    output = run(shapes.write_task(tmp_path / 'fine', 3, 2, max_epochs=1, **fine))
    total = output.partition(' parameters loaded')[0].rpartition(' ')[2]
    assert f'{package[0]}, {total} of {total} parameters loaded' in output


def test_a_network_of_ultralytics_lives(tmp_path):
    """Of release 5.0 and of no size that is published: as it is, and as what a training begins with."""
    parameters = tiny_parameters(classes=3, focus=True, blocks=(1, 3, 2, 1))
    weights = save_of_a_training(tmp_path / 'best.pt', parameters, parameters, list(shapes.CLASS_NAMES))
    values = {'samples_per_gpu': 3, 'workers_per_gpu': 0}
    mining = {**values, 'mining_algorithm': 'aldd', 'infer': True, 'model_params_path': [str(weights)]}
    root = tmp_path / 'mining'
    run(shapes.write_candidates_task(root, 3, conf_threshold=0, config_file='', input_size=64, **mining))
    assert len(ranking_of(root / 'in/env.yaml')) == len(detections_of(root / 'in/env.yaml')) == 3
    config_file = 'configs/yolov5/yolov5x_8x8_300e_coco.py'
    fine = {**values, 'config_file': config_file, 'pretrained_model_params': [str(weights)]}
    env_file = shapes.write_task(tmp_path / 'fine', 3, 2, max_epochs=1, input_size=64, **fine)
    total = len([name for name in parameters if 'anchor' not in name])
    assert f'{weights}, {total} of {total} parameters loaded' in run(env_file)
    written = read_plain_config(next((tmp_path / 'fine/out/models/epoch_1').glob('*.py')))
    assert written['model']['backbone']['channels'] == [8, 16, 32, 64, 128]
    assert written['model']['bbox_head']['anchor_generator']['base_sizes'][0][0] == (2, 4)


def test_a_network_of_effdet_lives(tmp_path):
    """For classes of its own as it is, and for COCO's as what a training begins with."""
    weights, published = tmp_path / 'own.pth', tmp_path / 'tf_efficientdet_d0.pth'
    parameters = effdet_parameters()
    torch.save({'state_dict': effdet_parameters(classes=3)}, weights)
    torch.save(parameters, published)
    values = {'samples_per_gpu': 3, 'workers_per_gpu': 0}
    mining = {**values, 'mining_algorithm': 'aldd', 'infer': True, 'model_params_path': [str(weights)]}
    root = tmp_path / 'mining'
    run(shapes.write_candidates_task(root, 3, conf_threshold=0, config_file='', input_size=128, **mining))
    assert len(ranking_of(root / 'in/env.yaml')) == len(detections_of(root / 'in/env.yaml')) == 3
    config_file = 'configs/efficientdet/efficientdet_d0_8x8_300e_coco.py'
    fine = {**values, 'config_file': config_file, 'pretrained_model_params': [str(published)]}
    env_file = shapes.write_task(tmp_path / 'fine', 3, 2, max_epochs=1, input_size=128, **fine)
    output = run(env_file)
    assert f'{published}, {len(parameters) - 2} of {len(parameters)} parameters loaded' in output
    left_out = ', '.join(f'bbox_head.classes.predict.pointwise.{part}' for part in ('weight', 'bias'))
    assert f'left out, made for other classes: {left_out}' in output
