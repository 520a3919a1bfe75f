"""Whole inferences and minings through start.py: what is left in /out, whatever is listed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Dict, List

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from demo import shapes
from demo.task_folder import write_config
from desk.task_folder import write_env, write_index
from executor.images.decode import image_size, read_image
from executor.images.look import look
from executor.weights.checkpoint import read_checkpoint
from mining.class_weights import difficulty_weights
from mining.diversity import varied_order
from tests.support import exports, mmdet2
from tests.support.coco_scores import average_precision
from tests.support.html import check_alone
from tests.support.random_model import NANO, write_random_weights
from tests.support.start import detections_of, monitor_of, ranking_of, run
from tests.support.task_folder import names_in

pytestmark = pytest.mark.slow

ALGORITHMS = ('aldd', 'cald', 'entropy', 'random')
SIDE = 96
# The smallest input at which the random model finds something everywhere.
SMALL = f'test_dataloader.dataset.pipeline.1.scale=({SIDE},{SIDE})'


@pytest.fixture(scope='module')
def model(tmp_path_factory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp('model') / 'model.pth', NANO, shapes.CLASS_NAMES)


@pytest.fixture(scope='module')
def images(tmp_path_factory) -> List[Path]:
    """Ten drawn images."""
    root = tmp_path_factory.mktemp('images')
    shapes.write_candidates_task(root, 10, seed=0)
    return [Path(line) for line in (root / 'in/candidate-index.tsv').read_text(encoding='utf-8').splitlines()]


def write_task(root: Path, model: Path, images: List[Any], protocol: Any = '1.1.0', **values: Any) -> Path:
    """Write a task on a list of images; `mining` and `infer` say which, the rest goes into config.yaml."""
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


@pytest.fixture(scope='module')
def ran(tmp_path_factory, model, images) -> Callable[..., Path]:
    """The env.yaml of a task on the ten images that ran in one process, each with these values once."""
    env_files: Dict[Any, Path] = {}

    def run_once(**values: Any) -> Path:
        key = tuple(sorted(values.items()))
        if key not in env_files:
            env_files[key] = write_task(tmp_path_factory.mktemp('ran'), model, images, **values)
            run(env_files[key])
        return env_files[key]

    return run_once


# --- what is left ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('protocol, key', [(None, 'annotations'), ('1.0.0', 'boxes'), ('1.1.0', 'boxes')])
def test_inference_leaves_what_the_platform_reads(tmp_path, model, images, protocol, key):
    env_file = write_task(tmp_path, model, images, protocol=protocol)
    output = run(env_file)
    found = detections_of(env_file)
    assert list(found) == [image.name for image in images]
    boxes = [(image, box) for image in images for box in found[image.name][key]]
    assert len(boxes) > 20
    scores = [[entry['score'] for entry in found[image.name][key]] for image in images]
    assert scores == [sorted(row, reverse=True) for row in scores]
    for image, entry in boxes:
        width, height = image_size(image)
        x, y, w, h = (entry['box'][side] for side in 'xywh')
        assert all(type(side) is int for side in (x, y, w, h))
        assert x >= 0 and y >= 0 and w >= 1 and h >= 1 and x + w <= width and y + h <= height
        assert entry['class_name'] in shapes.CLASS_NAMES
        assert 0.6 <= entry['score'] <= 1
    left = ['infer-examples.jpg', 'infer-result.json', 'models', 'monitor.txt', 'tensorboard']
    assert names_in(tmp_path / 'out') == left
    assert monitor_of(env_file)[2:] == ['1.00', '2']
    assert '10 of 10 images' in output
    assert 'where the time went: decode' in output
    assert f'{len(boxes)} boxes of score 0.6 and above' in output


def test_a_model_that_cannot_be_used_costs_no_result_of_an_earlier_run(tmp_path, images):
    broken = tmp_path / 'in/models/model.pth'
    env_file = write_task(tmp_path, broken, images, mining=True, infer=True)
    for file in (broken, tmp_path / 'out/result.tsv', tmp_path / 'out/infer-result.json'):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('earlier')
    run(env_file, status=1)
    assert monitor_of(env_file)[3:5] == ['4', '300004']
    assert [(tmp_path / 'out' / name).read_text() for name in ('result.tsv', 'infer-result.json')] == ['earlier'] * 2


def test_a_folder_in_the_place_of_a_picture_costs_no_result(tmp_path, model, images):
    env_file = write_task(tmp_path, model, images, mining=True, infer=True, mining_algorithm='entropy')
    for name in ('infer-examples.jpg', 'mining-examples.jpg', 'tensorboard/infer.html', 'tensorboard/mining.html'):
        (tmp_path / 'out' / name).mkdir(parents=True)
    (tmp_path / 'out/tensorboard/mining').write_text('')
    output = run(env_file)
    assert output.count('-examples.jpg could not be drawn') == output.count('.html could not be made') == 2
    assert output.count('tensorboard: nothing more is written') == 1
    assert len(detections_of(env_file)) == 10


def test_ten_images_on_any_number_of_ranks_give_one_file(tmp_path, model, images, ran):
    options = {'mining': True, 'mining_algorithm': 'entropy', 'seed': 3, 'conf_threshold': 0.6}
    one = ran(**options)
    several = write_task(tmp_path, model, images, **options)
    for ranks in ('3', '4'):
        run(several, '--cpu-ranks', ranks)
        for name in ('infer-result.json', 'result.tsv', 'tensorboard/infer.html', 'tensorboard/mining.html'):
            assert (tmp_path / 'out' / name).read_bytes() == (one.parents[1] / 'out' / name).read_bytes()
    assert len(ranking_of(one)) == len(detections_of(one)) == 10


def test_a_package_of_the_predecessor_finds_and_ranks_as_the_same_weights_do_today(tmp_path, model, images, ran):
    files = mmdet2.write_package(tmp_path, read_checkpoint(model)['state_dict'], shapes.CLASS_NAMES, SIDE)
    options = {'mining': True, 'infer': True, 'mining_algorithm': 'aldd'}
    package = {'model_params_path': [str(file) for file in files], 'config_file': '', 'cfg_options': ''}
    today, former = ran(**options), write_task(tmp_path, model, images, **options, **package)
    run(former)
    assert detections_of(former) == detections_of(today)
    assert ranking_of(former) == ranking_of(today)


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_pages_lie_where_the_platform_keeps_them_and_show_what_the_results_say(ran, algorithm):
    """With one event file each, also of a second run in the same /out."""
    env_file = ran(mining=True, mining_algorithm=algorithm, seed=3, conf_threshold=0.6)
    run(env_file)
    kept = env_file.parents[1] / 'out/tensorboard'
    assert names_in(kept) == ['infer', 'infer.html', 'mining', 'mining.html']
    mining, infer = ((kept / f'{name}.html').read_text(encoding='utf-8') for name in ('mining', 'infer'))
    check_alone(mining)
    check_alone(infer)
    shown = re.findall(r'<figcaption title="(.*?)">\d+: <strong><data value="(.*?)">', mining)
    assert [list(one) for one in shown] == ranking_of(env_file)
    boxes = sum(len(entry['boxes']) for entry in detections_of(env_file).values())
    assert f'<strong>{boxes}</strong>boxes' in infer
    assert mining.count('data:image/jpeg') == 10
    for name, tag in (('mining', 'mining/highest 01'), ('infer', 'inference/scores')):
        assert len(names_in(kept / name)) == 1
        assert tag in EventAccumulator(str(kept / name)).Reload().Tags()['images']


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_a_ranking_depends_on_nothing_but_images_and_seed(tmp_path, model, images, ran, algorithm):
    options = {'mining': True, 'infer': False, 'mining_algorithm': algorithm}
    one = ran(**options, samples_per_gpu=1, workers_per_gpu=0, seed=3)
    other = write_task(tmp_path, model, images, **options, samples_per_gpu=7, seed='3')
    run(other, '--cpu-ranks', '2')
    ranking = ranking_of(one)
    assert ranking == ranking_of(other)
    pages = [(env_file.parents[1] / 'out/tensorboard/mining.html').read_bytes() for env_file in (one, other)]
    assert pages[0] == pages[1]
    assert sorted(path for path, _ in ranking) == sorted(map(str, images))
    scores = [float(score) for _, score in ranking]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 5
    assert names_in(one.parents[1] / 'out') == [
        'mining-examples.jpg',
        'models',
        'monitor.txt',
        'result.tsv',
        'tensorboard',
    ]
    assert (one.parents[1] / 'out/mining-examples.jpg').stat().st_size > 1000


@pytest.mark.parametrize(
    'algorithm, conf_threshold',
    [('aldd', 0.005), ('cald', 0.005), ('entropy', 0.005), ('entropy', 0.6), ('random', 0.6)],
)
def test_mining_and_inference_together_give_what_each_gives_alone(ran, algorithm, conf_threshold):
    """Also where inference's threshold lies below the model's own, which mining keeps."""
    options = {'mining': True, 'mining_algorithm': algorithm, 'seed': 3}
    together = ran(**options, conf_threshold=conf_threshold)
    assert ranking_of(together) == ranking_of(ran(**options, infer=False, samples_per_gpu=1, workers_per_gpu=0))
    assert boxes_of(together) == boxes_of(ran(conf_threshold=conf_threshold))
    assert monitor_of(together)[2:] == ['1.00', '2']


@pytest.mark.parametrize('algorithm', ['entropy', 'random'])
def test_with_diversity_near_copies_come_behind_on_any_number_of_ranks(tmp_path, model, images, ran, algorithm):
    """Each image three times, at other sizes and in other light, one without edges and one that cannot be decoded."""
    pool = [*images, *(tmp_path / f'{image.stem}.{number}.png' for image in images for number in (1, 2))]
    for file in pool[10:]:
        stem, _, number = file.stem.rpartition('.')
        pixels = read_image(next(image for image in images if image.stem == stem))
        light = (pixels * (0.9 - 0.1 * int(number)) + 20).astype(np.uint8)
        assert cv2.imwrite(str(file), cv2.resize(light, (150 + 20 * int(number), 120)))
    pool += [tmp_path / 'grey.png', tmp_path / 'broken.jpg']
    assert cv2.imwrite(str(pool[-2]), np.full((90, 90, 3), 114, np.uint8))
    pool[-1].write_bytes(b'no image')
    options = {'mining': True, 'infer': False, 'mining_algorithm': algorithm, 'seed': 3}
    by_score = write_task(tmp_path / 'off', model, pool, **options)
    one = write_task(tmp_path / 'one', model, pool, **options, diversity='on', samples_per_gpu=1, workers_per_gpu=0)
    three = write_task(tmp_path / 'three', model, pool, **options, diversity='on')
    run(by_score)
    output = run(one)
    run(three, '--cpu-ranks', '3')
    former, ranking = ranking_of(by_score), ranking_of(one)
    assert ranking == ranking_of(three)
    pages = [(file.parents[1] / 'out/tensorboard/mining.html').read_text(encoding='utf-8') for file in (one, three)]
    assert pages[0] == pages[1]

    sound = former[:-1]  # all of the pool's part, which can be decoded
    looks = np.stack([look(read_image(Path(path))) for path, _ in sound])
    expected = [sound[number][0] for number in varied_order(np.array([float(score) for _, score in sound]), looks)]
    assert [path for path, _ in ranking] == [*expected, str(pool[-1])]
    assert [score for _, score in ranking] == [score for _, score in former]
    scenes = [[Path(path).name.partition('.')[0] for path, _ in rows[:10]] for rows in (former, ranking)]
    assert len(set(scenes[0])) < len(set(scenes[1])) >= 9
    assert '31 images of the highest scores are put into another order; of the first 31, 30 look like another' in output
    own = dict(former)
    shown = re.findall(r'<figcaption title="(.*?)">\d+: <strong><data value="(.*?)">.*?, (\d+) by score', pages[0])
    places = [str(1 + [name for name, _ in former].index(path)) for path in expected]
    assert shown == [(path, own[path], place) for path, place in zip(expected, places)]


def boxes_of(env_file: Path) -> Dict[str, Any]:
    """Return the boxes of each image by falling score; the order of those of equal score is open."""
    return {
        image: sorted(entry['boxes'], key=lambda box: (-box['score'], str(box)))
        for image, entry in detections_of(env_file).items()
    }


def test_random_has_another_order_for_another_seed_and_needs_no_model(tmp_path, images, ran):
    options = {'mining': True, 'infer': False, 'mining_algorithm': 'random'}
    env_file = write_task(tmp_path, Path('none'), images, **options, model_params_path=[], class_weights='difficulty')
    run(env_file)
    other = ranking_of(ran(**options, samples_per_gpu=1, workers_per_gpu=0, seed=3))
    assert [path for path, _ in ranking_of(env_file)] != [path for path, _ in other]
    assert len(ranking_of(env_file)) == 10


def test_a_weight_of_zero_takes_a_class_out_of_aldd(tmp_path, model, images):
    scores = {}
    for weights in ('', '1,1,0', '0,0,1'):
        options = {'mining': True, 'infer': False, 'mining_algorithm': 'aldd', 'aldd_exact': True}
        env_file = write_task(tmp_path, model, images[:3], **options, class_distribution_scores=weights)
        run(env_file)
        scores[weights] = {path: float(score) for path, score in ranking_of(env_file)}
    for path, whole in scores[''].items():
        assert scores['1,1,0'][path] + scores['0,0,1'][path] == pytest.approx(whole, rel=3e-3)
        assert min(scores['1,1,0'][path], scores['0,0,1'][path]) > 0


def test_difficulty_weighs_classes_as_the_same_weights_do_on_any_number_of_ranks(tmp_path, images, ran):
    known = dict(zip(reversed(shapes.CLASS_NAMES), (0.0, 0.5, 0.9)))
    model = tmp_path / 'model.pth'
    write_random_weights(model, NANO, shapes.CLASS_NAMES, dataset_meta={'classes': shapes.CLASS_NAMES}, class_ap=known)
    options = {'mining': True, 'infer': False, 'mining_algorithm': 'entropy'}
    by_difficulty = write_task(tmp_path / 'three', model, images, **options, class_weights='difficulty')
    run(by_difficulty, '--cpu-ranks', '3')
    weights = difficulty_weights(np.array([0.9, 0.5, 0.0]))
    given = write_task(
        tmp_path / 'one', model, images, **options, class_distribution_scores=','.join(map(repr, weights.tolist()))
    )
    run(given)
    assert ranking_of(by_difficulty) == ranking_of(given)
    assert dict(ranking_of(given)) != dict(ranking_of(ran(**options)))
    page = (tmp_path / 'three/out/tensorboard/mining.html').read_text(encoding='utf-8')
    assert f'<td><data value="{weights[0]}">' in page and f'<td><data value="{weights[2]}">' in page


# --- whatever is listed ---------------------------------------------------------------------------------------------


def test_images_that_cannot_be_decoded_are_counted_named_and_last(tmp_path, model, images):
    broken = [tmp_path / f'broken {number}.jpg' for number in range(12)]
    for file in broken:
        file.write_bytes(b'no image')
    empty = tmp_path / 'empty.jpg'
    empty.write_bytes(b'')
    listed = [*broken[:6], *images[:2], *broken[6:], empty, images[2]]
    env_file = write_task(tmp_path, model, listed, mining=True, mining_algorithm='entropy')
    output = run(env_file, '--cpu-ranks', '2')
    found = detections_of(env_file)
    assert list(found) == [file.name for file in listed]
    assert all(found[file.name]['boxes'] == [] for file in broken)
    ranking = [path for path, _ in ranking_of(env_file)]
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
    env_file = write_task(tmp_path, model, [tmp_path / 'text.jpg', tmp_path / 'empty.png'], **tasks)
    run(env_file, status=1)
    state, code, message = monitor_of(env_file)[3:]
    assert (state, code) == ('4', '300003')
    assert 'none of the 2 candidates can be decoded' in message and 'text.jpg' in message
    assert not (tmp_path / 'out/infer-result.json').exists() and not (tmp_path / 'out/result.tsv').exists()


def test_two_images_of_one_name_are_both_kept(tmp_path, model, images):
    twins = [tmp_path / folder / 'same.jpg' for folder in 'ab']
    for twin, image in zip(twins, images):
        twin.parent.mkdir()
        twin.write_bytes(image.read_bytes())
    env_file = write_task(tmp_path, model, [twins[0], images[2], twins[1]], mining=True, mining_algorithm='random')
    output = run(env_file)
    assert list(detections_of(env_file)) == ['same.jpg', images[2].name, str(twins[1])]
    assert sorted(path for path, _ in ranking_of(env_file)) == sorted(map(str, [*twins, images[2]]))
    assert '1 of 3 candidates have the file name of an earlier one' in output
    assert f'{twins[1]}, {tmp_path}/in/candidate-index.tsv:3' in output


def test_images_of_any_kind_give_a_result(tmp_path, model):
    kinds = write_kinds(tmp_path / 'kinds')
    env_file = write_task(tmp_path, model, kinds, mining=True, mining_algorithm='cald', conf_threshold=0.01)
    output = run(env_file)
    found = detections_of(env_file)
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


def test_aldd_of_a_detector_without_class_maps_is_refused(tmp_path, images):
    config = 'configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
    model = write_random_weights(tmp_path / 'two_stages.pth', config, shapes.CLASS_NAMES)
    options = {'mining': True, 'mining_algorithm': 'aldd', 'config_file': config, 'cfg_options': ''}
    env_file = write_task(tmp_path, model, images[:2], **options)
    run(env_file, status=1)
    code, message = monitor_of(env_file)[4:]
    assert code == '300001'
    assert 'FasterRCNN' in message and 'choose cald, entropy or random' in message


# --- real data ------------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_the_official_weights_have_the_official_accuracy(tmp_path, shared_data):
    """mmdet's own test pipeline with whole-pixel boxes gives 0.304, 0.469 (`shared/data/README.md`)."""
    weights = shared_data.parent / 'weights' / 'yolox_nano_coco_megvii.pth'
    env_file = exports.write_task(
        tmp_path,
        shared_data / 'coco80/mining/in',
        infer=True,
        config_file=NANO,
        model_params_path=[str(weights)],
        conf_threshold=0.001,
        cfg_options='model.test_cfg.score_thr=0.001',
    )
    run(env_file)
    AP, AP50 = average_precision(tmp_path / 'out/infer-result.json', shared_data / 'coco80/val-instances.json')
    assert pytest.approx(0.304, abs=0.003) == AP
    assert pytest.approx(0.469, abs=0.003) == AP50


@pytest.mark.shared
def test_the_official_weights_of_yolov5_have_their_accuracy(tmp_path, shared_data):
    """Without a config_file; of the letterboxes that `shared/data/zoo/README.md` lists ours is top left."""
    env_file = exports.write_task(
        tmp_path,
        shared_data / 'coco80/mining/in',
        infer=True,
        config_file='',
        cfg_options='',
        model_params_path=[str(shared_data.parent / 'weights/yolov5n_coco_v6.pt')],
        conf_threshold=0.001,
    )
    run(env_file)
    AP, AP50 = average_precision(tmp_path / 'out/infer-result.json', shared_data / 'coco80/val-instances.json')
    assert pytest.approx(0.316, abs=0.005) == AP
    assert pytest.approx(0.481, abs=0.005) == AP50


@pytest.mark.shared
@pytest.mark.parametrize('bare', [False, True])
def test_a_package_of_the_predecessor_has_its_accuracy(tmp_path, shared_data, bare):
    """Of its two weights the worse would give 0.080, and what was not averaged 0.215 (`shared/data/zoo/README.md`)."""
    package = shared_data / 'zoo/legacy/yolox_nano'
    names = ['best_bbox_mAP_epoch_8.pth'] if bare else [mmdet2.CONFIG, 'epoch_10.pth', 'best_bbox_mAP_epoch_8.pth']
    env_file = exports.write_task(
        tmp_path,
        shared_data / 'coco80/mining/in',
        infer=True,
        config_file='',
        cfg_options='',
        model_params_path=[str(package / name) for name in names],
        conf_threshold=0.001,
    )
    run(env_file)
    AP, AP50 = average_precision(tmp_path / 'out/infer-result.json', shared_data / 'coco80/val-instances.json')
    assert pytest.approx(0.304, abs=0.004) == AP
    assert pytest.approx(0.469, abs=0.004) == AP50
