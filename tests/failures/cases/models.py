"""Model packages: weights and their config."""

from __future__ import annotations

from typing import Tuple

from tests.failures.case import Case, rows
from tests.failures.packages import (
    DARKNET,
    EFFDET,
    ULTRALYTICS,
    compressed_weights,
    cut_off,
    darknet_model,
    darknet_weights,
    effdet_weights,
    expanded_weights,
    filled_weights,
    other_names,
    own_shapes,
    pretrained,
    saved,
    torch_script,
    ultralytics_weights,
)
from tests.failures.task import (
    CONFIG,
    INFERENCE,
    MINING,
    PACKAGE,
    TRAINING,
    WEIGHTS,
    changes,
    config,
    content,
    folder,
    more_lines,
    removed,
    replaced,
)

_CONFIG = f'{PACKAGE}/{CONFIG}'
YOLOV3 = 'configs/yolov3/yolov3_d53_8x8_273e_coco.py'
EFFICIENTDET = 'configs/efficientdet/efficientdet_{}_8x8_300e_coco.py'
DARKNET53 = 'configs/yolox/yolox_darknet53_8x8_300e_coco.py'

_case = rows(300004, task=INFERENCE)
_heavy = rows(300004, task=INFERENCE, heavy=True)

CASES: Tuple[Case, ...] = (
    _case(
        'the weights are not on disk',
        removed(WEIGHTS),
        '/in/config.yaml:',
        '1 of 2 files of model_params_path is not there',
        f'/{WEIGHTS}',
    ),
    _case('the weights are a folder', folder(WEIGHTS), 'is not there', f'/{WEIGHTS}', task=MINING),
    _case(
        'the pretrained weights are not on disk',
        changes(pretrained(), removed(WEIGHTS)),
        '/in/config.yaml:',
        '1 of 1 files of pretrained_model_params is not there',
        f'/{WEIGHTS}',
        task=TRAINING,
    ),
    _case(
        'a model file has a name longer than any can be',
        config(model_params_path=['{root}/in/models/' + 'x' * 300 + '.pth']),
        '/in/config.yaml:',
        'model_params_path',
    ),
    _heavy(
        'no model is chosen',
        config(model_params_path=[]),
        'model_params_path lists no .pth or .pt or .weights',
        'choose a model',
    ),
    _heavy(
        'the model has no weights',
        config(model_params_path=[f'{{root}}/{_CONFIG}']),
        'model_params_path lists no .pth or .pt or .weights file: choose a model',
        CONFIG,
        task=MINING,
    ),
    _heavy('the weights are empty', content(WEIGHTS, ''), f'/{WEIGHTS}', 'is cut off or damaged'),
    _heavy('the weights are text', content(WEIGHTS, 'weights\n'), f'/{WEIGHTS} is no weight file'),
    _heavy('the weights are cut off', cut_off(), f'/{WEIGHTS}', 'cut off'),
    _heavy('the weights are a list', saved([1, 2, 3]), f'/{WEIGHTS} holds list', 'expected the parameters of a model'),
    _heavy('the weights hold no parameters', saved({'epoch': 3}), 'holds no parameters', 'choose a checkpoint'),
    _heavy('the weights are a TorchScript model', torch_script(), f'/{WEIGHTS}', 'state_dict'),
    _heavy(
        'the weights are a TorchScript model, and a comment of its zip looks like the end of another',
        torch_script(b'PK\x05\x06' + bytes(10)),
        f'/{WEIGHTS}',
        'it is a TorchScript archive, a program',
        'state_dict',
    ),
    _heavy(
        'the weights are a packed zip of a gigabyte',
        compressed_weights(),
        f'/{WEIGHTS}',
        'another zip that torch.save did not write',
    ),
    _heavy(
        'a tensor of the weights is said to be a thousand times the file',
        expanded_weights(),
        f'/{WEIGHTS}',
        'more than 16 times the size of the file',
        task=MINING,
    ),
    _heavy(
        'a parameter of the weights is NaN',
        filled_weights(float('nan')),
        f'/{WEIGHTS}: bbox_head.',
        'not finite (NaN or infinity)',
        'choose another stage of the training, or train again',
    ),
    _heavy(
        'a parameter of the pretrained weights is infinite',
        changes(filled_weights(float('inf')), pretrained()),
        f'/{WEIGHTS}: bbox_head.',
        'not finite (NaN or infinity)',
        task=TRAINING,
    ),
    _heavy(
        'the weights are so large that the network overflows',
        filled_weights(1e30, every=True),
        'the network gives NaN',
        'for all of the 2 images',
        'choose another model',
    ),
    _heavy(
        'the pretrained weights are text',
        changes(pretrained(), content(WEIGHTS, 'x')),
        f'/{WEIGHTS} is no weight file',
        task=TRAINING,
    ),
    _heavy(
        'the weights are of another architecture',
        config(config_file='configs/yolox/yolox_s_8x8_300e_coco.py'),
        f'/{WEIGHTS} does not fit the config',
        'set config_file to the config that these weights were trained with',
    ),
    _heavy(
        'the pretrained weights are of another architecture',
        changes(pretrained(), config(config_file='configs/yolox/yolox_tiny_8x8_300e_coco.py')),
        f'/{WEIGHTS} does not fit the model of config_file',
        'set config_file to the one',
        task=TRAINING,
    ),
    _heavy(
        'the pretrained weights are under names that nobody knows',
        changes(other_names(), pretrained()),
        f'/{WEIGHTS} names its parameters otherwise than mmdet, Megvii YOLOX',
        'choose weights of one of these',
        task=TRAINING,
    ),
    _heavy(
        "darknet's weights are cut off",
        darknet_model(248_007_047, YOLOV3),
        f'/{DARKNET} is no weight file of darknet, or is cut off (248007047 bytes): copy it again',
    ),
    _heavy(
        "darknet's weights are of another network",
        changes(darknet_weights(35_434_956), config(pretrained_model_params=[f'{{root}}/{DARKNET}'])),
        f'/{DARKNET} holds 8858734 numbers, as none of YOLOv3, YOLOv3-SPP, the backbone Darknet-53 does',
        'copy it again, or choose another',
        task=TRAINING,
    ),
    _heavy(
        "darknet's weights detect 80 classes, the task wants 3",
        darknet_model(248_007_048, YOLOV3),
        f'/{DARKNET} detects 80 classes, whose names it does not hold, but class_names has 3',
        'give class_names of the model',
        task=MINING,
    ),
    _heavy(
        "darknet's weights of YOLOv3 are taken for those of YOLOX",
        darknet_model(248_007_048, DARKNET53),
        f'/{DARKNET} does not fit the config',
        'set config_file to the config that these weights were trained with',
    ),
    _heavy(
        "ultralytics' weights are cut off",
        changes(ultralytics_weights(), cut_off(ULTRALYTICS)),
        f'/{ULTRALYTICS} is cut off or damaged',
        'copy it again, or choose another model',
    ),
    _heavy(
        "ultralytics' weights are of blocks that were built in 2020",
        ultralytics_weights(parts=('model.2.cv4.conv.weight',)),
        f'/{ULTRALYTICS}: model.2.cv4.conv.weight is of no part of YOLOv5 as it is read',
        'choose weights of YOLOv5 n, s, m, l or x as the releases 5.0 to 7.0 build them',
        task=MINING,
    ),
    _heavy(
        "ultralytics' pretrained weights are of a network with a fourth level",
        ultralytics_weights(parts=('model.33.m.3.weight',)),
        f'/{ULTRALYTICS}: model.33.m.3.weight is of no part of YOLOv5 as it is read',
        'choose weights of YOLOv5 n, s, m, l or x as the releases 5.0 to 7.0 build them',
        task=TRAINING,
    ),
    _heavy(
        "ultralytics' weights detect 80 classes, the task wants 3",
        ultralytics_weights(classes=80),
        f'/{ULTRALYTICS} detects 80 classes (circle, square, triangle, 0, 1, 2, ',
        'but class_names has 3 (circle, square, triangle): give class_names of the model, in its order',
    ),
    _heavy(
        "ultralytics' pretrained weights are of another network than config_file",
        ultralytics_weights(),
        f'/{ULTRALYTICS} is of YOLOv5, and does not fit config_file, whose detector has YOLOXHead',
        'set config_file to configs/yolov5/yolov5s_8x8_300e_coco.py',
        task=TRAINING,
    ),
    _heavy(
        "effdet's weights are cut off",
        changes(effdet_weights(), cut_off(EFFDET)),
        f'/{EFFDET} is cut off or damaged',
        'copy it again, or choose another model',
    ),
    _heavy(
        "effdet's weights are of a larger EfficientDet than config_file",
        changes(effdet_weights(size=1), config(config_file=EFFICIENTDET.format('d0'))),
        f'/{EFFDET} is of EfficientDet-d1, and does not fit config_file, whose detector has another backbone',
        f'set config_file to {EFFICIENTDET.format("d1")}',
    ),
    _heavy(
        "effdet's pretrained weights are of a smaller EfficientDet than config_file",
        changes(effdet_weights(), config(config_file=EFFICIENTDET.format('d2'))),
        f'/{EFFDET} is of EfficientDet-d0, and does not fit config_file, whose detector has another backbone',
        f'set config_file to {EFFICIENTDET.format("d0")}',
        task=TRAINING,
    ),
    _heavy(
        "effdet's pretrained weights are of another network than config_file",
        effdet_weights(),
        f'/{EFFDET} is of EfficientDet-d0, and does not fit config_file, whose detector has YOLOXHead',
        f'set config_file to {EFFICIENTDET.format("d0")}',
        task=TRAINING,
    ),
    _heavy(
        "effdet's weights are of a network that is not TensorFlow's",
        effdet_weights(without='fpn.resample.3.conv.conv.bias'),
        f'/{EFFDET}: fpn.resample.3.conv.conv.bias is missing',
        'choose weights of EfficientDet d0 to d4, which effdet calls tf_efficientdet_d0 to tf_efficientdet_d4',
        task=MINING,
    ),
    _heavy(
        "effdet's weights detect COCO's classes, the task wants 3",
        effdet_weights(),
        f'/{EFFDET} detects 80 classes, whose names it does not hold, but class_names has 3 (circle, square, triangle)',
        'give class_names of the model, in its order',
        task=MINING,
    ),
    _heavy(
        'class_names has another number of classes than the model',
        config(class_names=['circle', 'square']),
        f'/{WEIGHTS} detects 3 classes (circle, square, triangle), but class_names has 2 (circle, square)',
        'give class_names of the model',
    ),
    _heavy(
        'weights without class names have another number of classes',
        changes(own_shapes(), config(class_names=['circle', 'square'])),
        f'/{WEIGHTS} detects 3 classes, whose names it does not hold, but class_names has 2',
        'give class_names of the model',
        task=MINING,
    ),
    _heavy(
        'the model has several configs',
        changes(
            own_shapes(),
            content(f'{PACKAGE}/a.py', 'model = 1\n'),
            config(model_params_path=[f'{{root}}/{name}' for name in (WEIGHTS, _CONFIG, f'{PACKAGE}/a.py')]),
        ),
        'several configs: a.py, ' + CONFIG,
        'set config_file to the one it was trained with',
    ),
    _heavy(
        'the model has no config',
        config(model_params_path=[f'{{root}}/{WEIGHTS}']),
        'comes with no config',
        'set config_file',
        task=MINING,
    ),
    _heavy(
        'the config of the model is no Python',
        content(_CONFIG, 'model = dict(\n'),
        f'/{_CONFIG}:1',
        'not a config file',
    ),
    _heavy(
        'the config of the model is not text', content(_CONFIG, b'model = \xff\n'), f'/{_CONFIG}', 'not a config file'
    ),
    _heavy(
        'the config of the model builds on another',
        content(_CONFIG, "_base_ = 'other.py'\n"),
        f'/{_CONFIG}',
        'set config_file',
    ),
    _heavy('a key of the config of the model is a list', more_lines(_CONFIG, 'extra = {[]: 1}'), f'/{_CONFIG}:'),
    _heavy('a number of the config of the model is none', more_lines(_CONFIG, "extra = float('x')"), f'/{_CONFIG}:'),
    _heavy(
        'the config of the model is nested without end',
        content(_CONFIG, 'model = ' + '-' * 50000 + '1\n'),
        f'/{_CONFIG}',
    ),
    _heavy(
        'the model of the config is a list', replaced(_CONFIG, 'model = {', 'model = [1]\nother = {'), f'/{_CONFIG}'
    ),
    _heavy(
        'the model of the config has no head',
        replaced(_CONFIG, "'bbox_head'", "'head'"),
        'has no bbox_head',
        'choose another detector',
        code=300001,
    ),
    _heavy(
        'the config of the model has no test pipeline',
        replaced(_CONFIG, "'pipeline'", "'transforms'"),
        f'/{_CONFIG}',
        'pipeline',
    ),
    _heavy(
        'cfg_options load_from names a file that is not there',
        config(cfg_options='load_from=/in/gone.pth'),
        'load_from=/in/gone.pth: no such file',
        'name one that the container sees',
        task=TRAINING,
    ),
    _heavy(
        'the config of the pretrained model is no Python',
        changes(pretrained(CONFIG), content(_CONFIG, 'model = (\n')),
        f'/{_CONFIG}:1',
        'not a config file',
        task=TRAINING,
    ),
)
