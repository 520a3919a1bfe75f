"""Whole inferences and minings through start.py: what is left in /out, whatever is listed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import cv2
import numpy as np
import pytest
import yaml

from executor.images.decode import image_size
from executor.local import shapes
from tests.support import exports
from tests.support.coco_scores import average_precision
from tests.support.random_model import NANO, write_random_weights
from executor.local.task_folder import write_config, write_env, write_index
from tests.support.task_folder import names_in

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
ALGORITHMS = ('aldd', 'cald', 'entropy', 'random')
SIDE = 96
# The smallest input at which the random model finds something everywhere.
SMALL = f'test_dataloader.dataset.pipeline.1.scale=({SIDE},{SIDE})'


def run(env_file: Path, *options: str, status: int = 0) -> str:
    command = [sys.executable, 'start.py', '--env', str(env_file), *options]
    done = subprocess.run(command, cwd=str(REPOSITORY), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.fixture(scope='module')
def model(tmp_path_factory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp('model') / 'model.pth', NANO, shapes.CLASS_NAMES)


@pytest.fixture(scope='module')
def images(tmp_path_factory) -> List[Path]:
    """Ten drawn images."""
    root = tmp_path_factory.mktemp('images')
    shapes.write_task(root, 10, 1)
    lines = (root / 'in' / 'train-index.tsv').read_text(encoding='utf-8').splitlines()
    return [Path(line.split('\t')[0]) for line in lines]


def write_task(root: Path, model: Path, images: List[Any], protocol: Any = '1.1.0', **values: Any) -> Path:
    """A task on a list of images; `mining` and `infer` say which, the rest goes into config.yaml."""
    tasks = {task: values.pop(task, task == 'infer') for task in ('mining', 'infer')}
    write_index(root, 'candidate-index.tsv', [[image] for image in images])
    config = {
        'class_names': list(shapes.CLASS_NAMES),
        'model_params_path': [str(model)],
        'config_file': NANO,
        'conf_threshold': 0.6,
        'samples_per_gpu': 3,
        'workers_per_gpu': 2,
        'cfg_options': SMALL,
    }
    write_config(root, **{**config, **values})
    # Images of one test lie beside those of another.
    return write_env(root, protocol=protocol, training=False, assets=images_root(root), **tasks)


def images_root(root: Path) -> Path:
    return next(parent for parent in root.parents if parent.name.startswith('pytest-'))


def detections_of(root: Path) -> Dict[str, Any]:
    return json.loads((root / 'out' / 'infer-result.json').read_text(encoding='utf-8'))['detection']


def ranking_of(root: Path) -> List[List[str]]:
    return [line.split('\t') for line in (root / 'out' / 'result.tsv').read_text(encoding='utf-8').splitlines()]


def failure_of(root: Path) -> List[str]:
    return (root / 'out' / 'monitor.txt').read_text(encoding='utf-8').splitlines()[0].split('\t')[3:]


# --- what is left ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('protocol, key', [(None, 'annotations'), ('1.0.0', 'boxes'), ('1.1.0', 'boxes')])
def test_inference_leaves_what_the_platform_reads(tmp_path, model, images, protocol, key):
    output = run(write_task(tmp_path, model, images, protocol=protocol))
    found = detections_of(tmp_path)
    assert list(found) == [image.name for image in images]
    boxes = [(image, box) for image in images for box in found[image.name][key]]
    assert len(boxes) > 20
    for image, entry in boxes:
        width, height = image_size(image)
        x, y, w, h = (entry['box'][side] for side in 'xywh')
        assert all(type(side) is int for side in (x, y, w, h))
        assert x >= 0 and y >= 0 and w >= 1 and h >= 1 and x + w <= width and y + h <= height
        assert entry['class_name'] in shapes.CLASS_NAMES
        assert 0.6 <= entry['score'] <= 1
    assert names_in(tmp_path / 'out') == [
        'infer-examples.jpg',
        'infer-result.json',
        'models',
        'monitor.txt',
        'tensorboard',
    ]
    assert (tmp_path / 'out/monitor.txt').read_text().split('\t')[2:] == ['1.00', '2\n']
    assert '10 of 10 images' in output
    assert 'where the time went: decode' in output
    assert f'{len(boxes)} boxes of score 0.6 and above' in output


def test_ten_images_on_any_number_of_ranks_give_one_file(tmp_path, model, images):
    env_file = write_task(tmp_path, model, images, mining=True, mining_algorithm='entropy')
    results = []
    for ranks in (1, 2, 3, 4):
        run(env_file, '--cpu-ranks', str(ranks))
        results.append([(tmp_path / 'out' / name).read_bytes() for name in ('infer-result.json', 'result.tsv')])
    assert results[0] == results[1] == results[2] == results[3]
    assert len(ranking_of(tmp_path)) == len(detections_of(tmp_path)) == 10


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_a_ranking_depends_on_nothing_but_images_and_seed(tmp_path, model, images, algorithm):
    options = {'mining': True, 'infer': False, 'mining_algorithm': algorithm}
    one = write_task(tmp_path / 'one', model, images, **options, samples_per_gpu=1, workers_per_gpu=0, seed=3)
    run(one)
    other = write_task(tmp_path / 'other', model, images, **options, samples_per_gpu=7, seed='3')
    run(other, '--cpu-ranks', '3')
    ranking = ranking_of(tmp_path / 'one')
    assert ranking == ranking_of(tmp_path / 'other')
    assert sorted(path for path, _ in ranking) == sorted(map(str, images))
    scores = [float(score) for _, score in ranking]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 5
    assert not (tmp_path / 'one/out/infer-result.json').exists()
    assert (tmp_path / 'one/out/mining-examples.jpg').stat().st_size > 1000


@pytest.mark.parametrize(
    'algorithm, conf_threshold',
    [('aldd', 0.005), ('cald', 0.005), ('entropy', 0.005), ('entropy', 0.6), ('random', 0.6)],
)
def test_mining_and_inference_together_give_what_each_gives_alone(tmp_path, model, images, algorithm, conf_threshold):
    """Also where inference's threshold lies below the model's own, which mining keeps."""
    values = {'mining_algorithm': algorithm, 'conf_threshold': conf_threshold}
    together, mining, infer = (tmp_path / name for name in ('together', 'mining', 'infer'))
    run(write_task(together, model, images[:4], mining=True, **values))
    run(write_task(mining, model, images[:4], mining=True, infer=False, **values))
    run(write_task(infer, model, images[:4], **values))
    assert ranking_of(together) == ranking_of(mining)
    assert detections_of(together) == detections_of(infer)
    assert (together / 'out/monitor.txt').read_text().split('\t')[2:] == ['1.00', '2\n']


def test_another_seed_is_another_random_order(tmp_path, model, images):
    rankings = []
    for seed in (0, 1):
        options = {'mining': True, 'infer': False, 'mining_algorithm': 'random', 'seed': seed}
        run(write_task(tmp_path, model, images, **options))
        rankings.append(ranking_of(tmp_path))
    assert rankings[0] != rankings[1]


def test_random_needs_no_model(tmp_path, images):
    options = {'mining': True, 'infer': False, 'mining_algorithm': 'random', 'model_params_path': []}
    run(write_task(tmp_path, Path('none'), images, **options))
    assert len(ranking_of(tmp_path)) == 10


def test_a_weight_of_zero_takes_a_class_out_of_aldd(tmp_path, model, images):
    scores = {}
    for weights in ('', '1,1,0', '0,0,1', '0,0,0', '2'):
        options = {'mining': True, 'infer': False, 'mining_algorithm': 'aldd', 'aldd_exact': True}
        run(write_task(tmp_path, model, images[:3], **options, class_distribution_scores=weights))
        scores[weights] = {path: float(score) for path, score in ranking_of(tmp_path)}
    for path, whole in scores[''].items():
        assert scores['1,1,0'][path] + scores['0,0,1'][path] == pytest.approx(whole, rel=3e-3)
        assert scores['0,0,0'][path] == 0
        assert whole < scores['2'][path] < 2 * whole


# --- whatever is listed ---------------------------------------------------------------------------------------------


def test_images_that_cannot_be_decoded_are_counted_named_and_last(tmp_path, model, images):
    broken = [tmp_path / f'broken {number}.jpg' for number in range(12)]
    for file in broken:
        file.write_bytes(b'no image')
    empty = tmp_path / 'empty.jpg'
    empty.write_bytes(b'')
    listed = [*broken[:6], *images[:2], *broken[6:], empty, images[2]]
    output = run(write_task(tmp_path, model, listed, mining=True, mining_algorithm='entropy'), '--cpu-ranks', '2')
    found = detections_of(tmp_path)
    assert list(found) == [file.name for file in listed]
    assert all(found[file.name]['boxes'] == [] for file in broken)
    ranking = [path for path, _ in ranking_of(tmp_path)]
    assert sorted(ranking[:3]) == sorted(map(str, images[:3]))
    assert ranking[3:] == [*map(str, broken), str(empty)]
    assert '13 images cannot be decoded' in output
    assert 'candidate-index.tsv:1: ' in output and 'broken 0.jpg' in output
    assert 'candidate-index.tsv:12: ' in output and 'broken 9.jpg' in output
    assert 'broken 10.jpg' not in output and 'and 3 more' in output


@pytest.mark.parametrize('tasks', [{'infer': True}, {'infer': False, 'mining': True, 'mining_algorithm': 'random'}])
def test_when_none_can_be_decoded_the_task_fails(tmp_path, model, tasks):
    (tmp_path / 'text.jpg').write_text('no image')
    (tmp_path / 'empty.png').write_bytes(b'')
    run(write_task(tmp_path, model, [tmp_path / 'text.jpg', tmp_path / 'empty.png'], **tasks), status=1)
    state, code, message = failure_of(tmp_path)
    assert (state, code) == ('4', '300003')
    assert 'none of the 2 candidates can be decoded' in message and 'text.jpg' in message
    assert not (tmp_path / 'out/infer-result.json').exists() and not (tmp_path / 'out/result.tsv').exists()


def test_two_images_of_one_name_are_both_kept(tmp_path, model, images):
    twins = [tmp_path / folder / 'same.jpg' for folder in 'ab']
    for twin, image in zip(twins, images):
        twin.parent.mkdir()
        twin.write_bytes(image.read_bytes())
    output = run(write_task(tmp_path, model, [twins[0], images[2], twins[1]], mining=True, mining_algorithm='random'))
    assert list(detections_of(tmp_path)) == ['same.jpg', images[2].name, str(twins[1])]
    assert sorted(path for path, _ in ranking_of(tmp_path)) == sorted(map(str, [*twins, images[2]]))
    assert '1 of 3 candidates have the file name of an earlier one' in output
    assert f'{twins[1]}, {tmp_path}/in/candidate-index.tsv:3' in output


def test_images_of_any_kind_give_a_result(tmp_path, model):
    kinds = write_kinds(tmp_path / 'kinds')
    output = run(write_task(tmp_path, model, kinds, mining=True, mining_algorithm='cald', conf_threshold=0.01))
    found = detections_of(tmp_path)
    assert list(found) == [file.name for file in kinds]
    assert 'cannot be decoded' not in output
    for file in kinds:
        width, height = image_size(file)
        for entry in found[file.name]['boxes']:
            box = entry['box']
            assert box['x'] + box['w'] <= width and box['y'] + box['h'] <= height
    assert sum(bool(entry['boxes']) for entry in found.values()) > 8
    # Turned by EXIF: upright where the pixels as stored lie.
    assert image_size(tmp_path / 'kinds' / 'turned.jpg') == (90, 160)


def write_kinds(folder: Path) -> List[Path]:
    from PIL import Image

    folder.mkdir()
    pixels = shapes.draw(np.random.default_rng(0))[0][:90, :160]
    files = {
        'plain.jpg': pixels,
        'plain.png': pixels,
        'plain.bmp': pixels,
        'plain.tif': pixels,
        'plain.webp': pixels,
        'grey.png': pixels[..., 0],
        'deep.png': pixels.astype(np.uint16) * 257,
        'deep.tif': pixels.astype(np.uint16) * 257,
        'alpha.png': np.dstack([pixels, np.full(pixels.shape[:2], 128, np.uint8)]),
        'thin.png': pixels[:, :1],
        'wide.png': cv2.resize(pixels, (10000, 50)),
    }
    for name, content in files.items():
        assert cv2.imwrite(str(folder / name), content)
    (folder / 'without_extension').write_bytes((folder / 'plain.jpg').read_bytes())
    picture = Image.fromarray(pixels[..., ::-1].copy())
    picture.convert('CMYK').save(folder / 'cmyk.jpg')
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / 'turned.jpg', exif=exif)
    return [folder / name for name in (*files, 'without_extension', 'cmyk.jpg', 'turned.jpg')]


# --- what does not fit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'values, code, words',
    [
        ({'class_names': ['cat']}, '300004', ['class', '(cat)']),
        ({'model_params_path': []}, '300004', ['model_params_path lists no .pth or .pt file']),
        ({'config_file': ''}, '300004', ['comes with no config', 'set config_file']),
        ({'config_file': 'nowhere.py'}, '300001', ["config_file 'nowhere.py' does not exist"]),
        ({'iou_threshold': 1.5}, '300001', ['config.yaml:', 'iou_threshold', '1.5']),
        ({'cfg_options': 'modell.test_cfg=1'}, '300001', ['cfg_options modell']),
        (
            {'mining': True, 'class_distribution_scores': '1,1,1,1'},
            '300001',
            ['config.yaml:', 'at most one for each of the 3 classes (circle', "found '1,1,1,1'"],
        ),
        ({'mining': True, 'class_distribution_scores': '1,x'}, '300001', ['class_distribution_scores', "'1,x'"]),
        ({'mining': True, 'class_distribution_scores': '1,-1'}, '300001', ['must be numbers from 0 up', "'1,-1'"]),
        ({'mining': True, 'mining_algorithm': 'best'}, '300001', ['mining_algorithm', 'aldd, cald, entropy', "'best'"]),
    ],
    ids=str,
)
def test_what_does_not_fit_is_told(tmp_path, model, images, values, code, words):
    run(write_task(tmp_path, model, images[:2], **values), status=1)
    state, found, message = failure_of(tmp_path)
    assert (state, found) == ('4', code), message
    assert all(word in message for word in words), message


def test_aldd_of_a_detector_without_class_maps_is_refused(tmp_path, images):
    config = 'configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
    model = write_random_weights(tmp_path / 'two_stages.pth', config, shapes.CLASS_NAMES)
    options = {'mining': True, 'mining_algorithm': 'aldd', 'config_file': config, 'cfg_options': ''}
    run(write_task(tmp_path, model, images[:2], **options), status=1)
    _, code, message = failure_of(tmp_path)
    assert code == '300001'
    assert 'FasterRCNN' in message and 'choose cald, entropy or random' in message


@pytest.mark.parametrize('path', ['/etc/hostname', 'relative.jpg', '{root}/../../../../etc/hostname'])
def test_an_index_that_leaves_the_input_folders_is_refused(tmp_path, model, images, path):
    run(write_task(tmp_path, model, [images[0], path.format(root=tmp_path)]), status=1)
    _, code, message = failure_of(tmp_path)
    assert code == '300002'
    assert 'lists 1 file (' in message and 'candidate-index.tsv:2)) outside of the input folders' in message


def test_a_candidate_that_is_not_there_is_told_before_any_is_looked_at(tmp_path, model, images):
    output = run(write_task(tmp_path, model, [images[0], tmp_path / 'missing.jpg']), status=1)
    _, code, message = failure_of(tmp_path)
    assert code == '300002'
    assert f'{tmp_path}/missing.jpg ({tmp_path}/in/candidate-index.tsv:2)) that cannot be found' in message
    assert 'model: YOLOX' not in output


def test_an_empty_index_is_told(tmp_path, model):
    run(write_task(tmp_path, model, []), status=1)
    assert failure_of(tmp_path)[1] == '300002'


# --- real data ------------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_the_official_weights_have_the_official_accuracy(tmp_path, shared_data):
    """mmdet's own test pipeline with whole-pixel boxes gives 0.304, 0.469 (`shared/data/README.md`)."""
    weights = shared_data.parent / 'weights' / 'yolox_nano_coco_megvii.pth'
    env_file = exports.write_candidates_task(
        tmp_path,
        shared_data / 'coco80/mining/in',
        config_file=NANO,
        model_params_path=[str(weights)],
        conf_threshold=0.001,
        cfg_options='model.test_cfg.score_thr=0.001',
    )
    run(env_file)
    result = yaml.safe_load(env_file.read_text())['output']['infer_result_file']
    AP, AP50 = average_precision(Path(result), shared_data / 'coco80/val-instances.json')
    assert pytest.approx(0.304, abs=0.003) == AP
    assert pytest.approx(0.469, abs=0.003) == AP50
