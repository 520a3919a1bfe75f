"""config.yaml: what the user chose in the platform's form."""

from __future__ import annotations

from datetime import date
from typing import Any, Tuple

from tests.failures.case import Case, rows
from tests.failures.task import (
    INFERENCE,
    MINING,
    REMOVED,
    Change,
    changes,
    config,
    content,
    more_lines,
    pipe,
    removed,
    replaced,
)

_CONFIG = 'in/config.yaml'
_LINE = '/in/config.yaml:'  # of the key
_case = rows(300001)


def _value(key: str, value: Any, what: str, *words: str, **more: Any) -> Case:
    """A value of one key that cannot be."""
    found = f'found {value!r}'
    return _case(what, config(**{key: value}), _LINE, key, found, *words, **more)


def _digits(key: str) -> Change:
    """A number that takes long to read, for one key."""
    return changes(config(**{key: None}), replaced(_CONFIG, f'\n{key}: null', f'\n{key}: {"9" * 5000}'))


CASES: Tuple[Case, ...] = (
    _case('config.yaml is missing', removed(_CONFIG), '/in/config.yaml cannot be read', 'the platform writes'),
    _case('config.yaml is a pipe', pipe(_CONFIG), '/in/config.yaml cannot be read', 'not a regular file'),
    _case(
        'config.yaml has a million lines',
        more_lines(_CONFIG, *['# a comment'] * 10**6),
        '/in/config.yaml cannot be read',
        f'where {2**18} are the most',
    ),
    _case(
        'config.yaml has a key twice',
        more_lines(_CONFIG, 'max_epochs: 2'),
        _LINE,
        "the key 'max_epochs' is there already, in line",
    ),
    _case(
        'config.yaml has lists that grow a billionfold',
        changes(
            config(class_names=REMOVED),
            more_lines(
                _CONFIG,
                'l0: &l0 [a]',
                *(f'l{n}: &l{n} [{", ".join([f"*l{n - 1}"] * 10)}]' for n in range(1, 11)),
                'class_names: *l10',
            ),
        ),
        _LINE,
        'class_names must be a list of names',
    ),
    _case(
        'config.yaml has mappings that grow a billionfold',
        more_lines(
            _CONFIG,
            'm0: &m0 {a: 1}',
            *(f'm{n}: &m{n} {{<<: [{", ".join([f"*m{n - 1}"] * 10)}]}}' for n in range(1, 11)),
        ),
        _LINE,
        'merging by << is not allowed',
    ),
    _case('config.yaml is empty', content(_CONFIG, ''), '/in/config.yaml:1', 'key: value'),
    _case('config.yaml is not YAML', more_lines(_CONFIG, 'key: "value'), '/in/config.yaml:', 'not valid YAML'),
    _case(
        'config.yaml would make a Python object',
        more_lines(_CONFIG, 'metric: !!python/object/apply:os.system ["touch {root}/canary"]'),
        _LINE,
        'not valid YAML',
    ),
    _case('class_names is missing', config(class_names=REMOVED), 'class_names must list the classes'),
    _value('class_names', [], 'class_names is an empty list', 'must list the classes to work on'),
    _value('class_names', ['cat', ''], 'a class has no name', 'none of them empty'),
    _value('class_names', {'cat': 0}, 'class_names is a mapping', 'a list of names'),
    _value('class_names', {'cat'}, 'class_names is a set', 'a list of names'),
    _value('class_names', [['cat']], 'class_names is a list in a list', 'a list of names'),
    _value('class_names', [b'cat'], 'a class is bytes', 'a list of names'),
    _value('class_names', [True, False], 'classes are yes and no, without quotation marks', 'in quotation marks'),
    _value('class_names', [date(2024, 1, 1)], 'a class is a date, without quotation marks', 'in quotation marks'),
    _case(
        'a class is listed twice, with its accents apart',
        config(class_names=['café', 'cafe\u0301']),
        _LINE,
        'class_names must be different from each other, found twice: café',
    ),
    _case('the name of a class is a book', config(class_names=['x' * 10**5]), _LINE, 'class_names', 'characters'),
    _value('object_type', 3, 'object_type is not that of boxes', 'object_type must be 2, detection of boxes'),
    _case(
        'a class is listed twice',
        config(class_names=['cat', 'dog', 'cat']),
        _LINE,
        'class_names must be different from each other, found twice: cat',
    ),
    _case(
        'gpu_id is negative',
        config(gpu_id='-1', gpu_count=1),
        _LINE,
        "gpu_id must be GPU numbers with commas between them, such as '0,1', or empty for CPU",
        "found '-1'",
    ),
    _case('gpu_id names a GPU twice', config(gpu_id='0,0', gpu_count=2), _LINE, 'gpu_id must be', "found '0,0'"),
    _case('gpu_id is a name', config(gpu_id='cuda:0', gpu_count=1), _LINE, 'gpu_id must be', "'cuda:0'"),
    _value('gpu_count', 'two', 'gpu_count is a word', 'a whole number of at least 0'),
    _value('shm_size', [1], 'shm_size is a list', 'must be text'),
    _value('export_format', 'yolo:raw', 'export_format is none of those there are', 'one of ark:raw', 'coco:raw'),
    _value('samples_per_gpu', 0, 'samples_per_gpu is 0', 'a whole number of at least 1'),
    _value('samples_per_gpu', 'many', 'samples_per_gpu is a word', 'a whole number of at least 1'),
    _value('samples_per_gpu', 10**6, 'samples_per_gpu is beyond every machine', 'at most 4096'),
    _value('workers_per_gpu', 10**6, 'workers_per_gpu is beyond every machine', 'at most 256'),
    _value('workers_per_gpu', -1, 'workers_per_gpu is negative', 'a whole number of at least 0'),
    _value('max_epochs', 0, 'max_epochs is 0', 'a whole number of at least 1'),
    _case('max_epochs is 1e308', config(max_epochs=1e308), _LINE, 'max_epochs must be a whole', 'at most 100000'),
    _case('max_epochs has 5000 digits', _digits('max_epochs'), _LINE, 'max_epochs must be a whole', 'at most 100000'),
    _case(
        'val_interval has 5000 digits', _digits('val_interval'), _LINE, 'val_interval must be a whole', 'at most 100000'
    ),
    _case('seed has 5000 digits', _digits('seed'), _LINE, 'seed must be a whole', 'at most 4294967295', task=MINING),
    _case('gpu_id is the square of a digit', config(gpu_id='²', gpu_count=1), _LINE, 'gpu_id must be', "found '²'"),
    _value('max_epochs', 1.5, 'max_epochs is no whole number', 'a whole number of at least 1'),
    _value('max_epochs', True, 'max_epochs is true', 'a whole number of at least 1'),
    _value('val_interval', 'often', 'val_interval is a word', 'a whole number'),
    _value('max_keep_checkpoints', 'all', 'max_keep_checkpoints is a word', 'a whole number'),
    _value('metric', 'segm', 'metric is none of those there are', 'must be bbox'),
    _value('input_size', '640x320', 'input_size is joined by an x', 'a whole number of pixels', "such as '512,320'"),
    _value('input_size', 16, 'input_size is smaller than any network takes', 'pixels from 32 to 8192'),
    _value('learning_rate', 0, 'learning_rate is 0', 'a number from 1e-12 to 100'),
    _value('learning_rate', 'fast', 'learning_rate is a word', 'a number from 1e-12 to 100'),
    _value('freeze', 'head', 'freeze is none of those there are', 'none, backbone, or a number of stages'),
    _value('patience', 0, 'patience is 0', 'a whole number of at least 1'),
    _value('mosaic', 'on', 'mosaic is none of those there are', 'one of auto, off'),
    _value('export_onnx', 'all', 'export_onnx is none of those there are', 'one of best, off'),
    _value('anchors', 'mine', 'anchors is none of those there are', 'must be one of config, auto'),
    _value('config_file', ['a.py'], 'config_file is a list', 'must be text'),
    _value('ymir_saved_file_patterns', '*.pth', 'a file pattern is no regular expression', 'regular expressions'),
    _value('ymir_saved_file_patterns', 'a{99999999999}', 'a file pattern repeats too often', 'regular expressions'),
    _value('conf_threshold', 1.2, 'conf_threshold is above 1', 'a number from 0 to 1', task=INFERENCE),
    _value('conf_threshold', 'high', 'conf_threshold is a word', 'a number from 0 to 1', task=INFERENCE),
    _value('iou_threshold', -0.1, 'iou_threshold is negative', 'a number from 0 to 1', task=INFERENCE),
    _value('workers_per_gpu', 'x', 'workers_per_gpu is a word', 'a whole number of at least 0', task=INFERENCE),
    _value('seed', -1, 'seed is negative', 'a whole number of at least 0', task=MINING),
    _value('aldd_exact', 'maybe', 'aldd_exact is neither true nor false', 'true or false', task=MINING),
    _value('diversity', 'much', 'diversity is none of those there are', 'one of off, on', task=MINING),
    _value('class_weights', '1,2', 'class_weights is none of those there are', 'one of none, difficulty', task=MINING),
    _value('class_distribution_scores', '1,x', 'a class weight is a word', "such as '1.0,0.5'", task=MINING),
    _value(
        'mining_algorithm',
        'best',
        'mining_algorithm is none of those there are',
        'one of aldd, cald, entropy, random',
        task=MINING,
    ),
    _case(
        'a class weight is negative',
        config(class_distribution_scores='1,-1'),
        _LINE,
        'class_distribution_scores must be numbers from 0 to 1e+06',
        "found '1,-1'",
        task=MINING,
    ),
    _case(
        'the model does not record how hard its classes are',
        config(class_weights='difficulty'),
        _LINE,
        'class_weights difficulty needs the AP of each class, which this model does not record',
        'leave it at none and set class_distribution_scores, or train the model again',
        task=MINING,
        heavy=True,
    ),
    _case(
        'more class weights than classes',
        config(class_distribution_scores='1,1,1,1'),
        _LINE,
        'at most one number for each of the 3 classes (circle, square, triangle)',
        "found '1,1,1,1'",
        task=MINING,
    ),
    _case(
        'config_file does not exist',
        config(config_file='configs/yolox/yolox_huge.py'),
        _LINE,
        "config_file 'configs/yolox/yolox_huge.py' does not exist: use a config of this image such as configs/yolox/",
    ),
    _case(
        'config_file names a detector that learns masks',
        config(config_file='configs/mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', cfg_options=''),
        'config_file',
        'learns masks',
        'choose one for boxes',
        heavy=True,
    ),
    _case(
        'input_size fits no detector of this family',
        config(input_size=500, cfg_options=''),
        _LINE,
        'input_size must be multiples of 32 for this detector, found 500: use 480 or 512',
        heavy=True,
    ),
    _case(
        'freeze without weights to start from',
        config(freeze='backbone', pretrained_model_params=[]),
        _LINE,
        'freeze: backbone would keep random weights, since there are none to start from: choose a pretrained model',
        heavy=True,
    ),
    _case(
        'patience without validations',
        config(patience=3, args_options='--no-validate'),
        _LINE,
        'patience: 3 needs validations, but args_options --no-validate leaves them out',
    ),
    _case(
        'anchors is auto, and the detector has none',
        config(anchors='auto'),
        'anchors: auto is for detectors whose anchors are given by size, such as YOLOv3',
        '(YOLOX) has none: leave it at config',
        heavy=True,
    ),
)
