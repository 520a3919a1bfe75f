"""The command `simulate` with steps that are played: their order, what they are given, and going on after a stop."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import yaml

from desk.progress import Bar
from desk.simulate import simulate as command
from desk.simulate import steps as steps_module
from desk.simulate.plan import MINING, TRAINING, Step, plan
from desk.simulate.pool import Pool, count_boxes, read_pool
from desk.simulate.steps import StepFailed, Steps
from executor.contract import options
from executor.contract.annotations.records import TrueBox
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.contract.inputs import check_inputs
from executor.contract.yaml_file import read_yaml_mapping
from executor.report.simulation import Point, simulation_numbers
from tests.support.html import check_alone
from tests.support.layouts import Labelled, write_voc

CAT, DOG = ('cat', (0, 0, 30, 30)), ('dog', (20, 10, 50, 50))
ARGUMENTS = ('simulate', 'task', '--algorithms', 'entropy', 'random', '--rounds', '2', '--seeds', '2', '--images', '2')


class Played(Steps):
    """Steps without a detector: AP50 is a hundredth of the sum of the labelled images, minings take the last or first.

    `ran` lists what was asked for; `stop_at` is where a step is stopped, as often as it is tried.
    """

    ran: list[tuple[Step, list[int]]] = []
    stop_at: tuple[int, BaseException] | None = None

    def run(self, step, labelled, update):
        if self.stop_at is not None and len(self.ran) == self.stop_at[0]:
            raise self.stop_at[1]
        self.ran.append((step, list(labelled)))
        update(0.5, 'half')
        (self.folder / step.name).mkdir(parents=True)
        if step.model is not None:
            assert self.has_model(step.model), step
        if step.kind == TRAINING:
            return {'ap_50': sum(labelled) / 100}
        rest = self.pool.rest(labelled)
        return {'chosen': (rest[::-1] if step.scorer == 'entropy' else rest)[: self.count]}

    def has_model(self, training):
        return (self.folder / training.name).is_dir()


@pytest.fixture
def played(monkeypatch) -> type[Played]:
    monkeypatch.setattr(Played, 'ran', [])
    monkeypatch.setattr(Played, 'stop_at', None)
    monkeypatch.setattr(command, 'Steps', Played)
    monkeypatch.setattr(command, 'claim', lambda folder: None)  # which lasts as long as the process
    return Played


@pytest.fixture
def no_page(monkeypatch) -> None:
    """Write the numbers alone, which is quick."""

    def write(simulation, page: Path, numbers: Path) -> None:
        numbers.write_text(json.dumps(simulation_numbers(simulation)))

    monkeypatch.setattr(command, 'write_simulation', write)


@pytest.fixture
def task(desk, tmp_path) -> Path:
    """Eight images of three scenes to train on, each with a dog, the first two with a cat too; two to validate with."""
    rng = np.random.default_rng(0)
    scenes = [cv2.resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), (64, 64)) for _ in range(3)]
    images = []
    for number in range(10):
        source = tmp_path / f'{number}.png'
        cv2.imwrite(str(source), np.clip(scenes[number % 3].astype(int) + number, 0, 255))
        boxes = [CAT, DOG] if number < 2 else [DOG]
        images.append(Labelled(source.name, (64, 64), boxes, 'train' if number < 8 else 'val', source))
    write_voc(tmp_path / 'data', images)
    status, told = desk('make', '--from', 'voc', 'data', '--out', 'task')
    assert status == 0, told
    return tmp_path / 'task'


def test_the_plan():
    """All algorithms share the first training, whose model is needed no more once each has mined."""
    first = Step(TRAINING, 1, '', 0)
    assert plan(['aldd', 'random'], 2, 1) == [
        first,
        *(Step(MINING, 1, name, 1) for name in ('aldd', 'random')),
        *(Step(TRAINING, 1, 'aldd', 1), Step(MINING, 1, 'aldd', 2), Step(TRAINING, 1, 'aldd', 2)),
        *(Step(TRAINING, 1, 'random', 1), Step(MINING, 1, 'random', 2), Step(TRAINING, 1, 'random', 2)),
    ]
    assert len([step for step in plan(['a', 'b', 'c'], 4, 5) if step.kind == TRAINING]) == 5 * (1 + 3 * 4)
    assert Step(MINING, 2, 'cald+diversity', 1).model == Step(TRAINING, 2, '', 0)
    assert Step(MINING, 2, 'cald+diversity', 3).model == Step(TRAINING, 2, 'cald+diversity', 2)
    assert Step(MINING, 2, 'random+diversity', 3).model is None


def pool(*boxes: tuple[int, int, int], scenes: tuple[int, ...] = ()) -> Pool:
    lines = [object()] * len(boxes)
    return Pool(lines, np.array(boxes), np.array(scenes or range(len(boxes))))


def test_what_is_found_by_hand():
    """Of 100 boxes the second class has 7, the third 3, together the tenth that rare ones have at most."""
    of = pool((50, 0, 1), (40, 5, 0), (0, 2, 2), scenes=(0, 1, 0))
    assert of.rare == [1, 2]
    assert of.found([0, 2], 0.5) == Point(labelled=2, ap_50=0.5, boxes=55, rare=5, scenes=1)
    assert of.rest([1]) == [0, 2]
    assert pool((50, 8, 0), (34, 0, 3)).rare == [2] and pool((5, 5, 0)).rare == [0]


def test_the_first_images_have_something_to_learn_from():
    of = pool(*[(0, 0, 0)] * 30, (0, 0, 1))
    for seed in range(5):
        first = of.first(3, seed)
        assert len(set(first)) == 3 and 30 in first
    assert of.first(3, 1) == of.first(3, 1) != of.first(3, 2)


def test_the_whole_game(desk, task, played, tmp_path):
    before = sorted(path for path in task.rglob('*'))
    status, told = desk(*ARGUMENTS)
    assert status == 0, told
    assert (
        '8 labelled images, 10 boxes; 2 images to validate with\n10 trainings, on 2 to 6 images, and 8 minings' in told
    )
    steps = plan(['entropy', 'random'], 2, 2)
    assert [step for step, _ in played.ran] == steps
    given = dict(played.ran)
    for seed in (1, 2):
        first = given[Step(TRAINING, seed, '', 0)]
        rest = [image for image in range(8) if image not in first]
        assert len(set(first)) == 2
        for name, order in (('entropy', rest[::-1]), ('random', rest)):
            assert given[Step(MINING, seed, name, 1)] == first
            assert given[Step(TRAINING, seed, name, 1)] == given[Step(MINING, seed, name, 2)] == first + order[:2]
            assert given[Step(TRAINING, seed, name, 2)] == first + order[:4]
    numbers = json.loads((task / 'simulation/simulation.json').read_text())
    for name, of in numbers['algorithms'].items():
        sums = [[sum(given[Step(TRAINING, seed, name if n else '', n)]) / 100 for n in range(3)] for seed in (1, 2)]
        assert [[point['ap_50'] for point in run] for run in of['seeds']] == sums
    assert numbers['pool'] == {'labelled': 8, 'boxes': 10, 'rare': 2, 'scenes': 3} and numbers['rare_classes'] == [
        'cat'
    ]
    check_alone((task / 'simulation/simulation.html').read_text())
    assert numbers['verdict'] in told
    assert list((task / 'simulation/work').iterdir()) == []  # all weights are gone
    assert sorted(path for path in task.rglob('*') if task / 'simulation' not in (path, *path.parents)) == before


@pytest.mark.parametrize(
    'stop', [StepFailed(128 + signal.SIGTERM, 'the task was stopped'), KeyboardInterrupt()], ids=['signal', 'Ctrl-C']
)
def test_it_goes_on_after_any_step(desk, task, played, no_page, stop):
    status, told = desk(*ARGUMENTS)
    whole, numbers = list(played.ran), (task / 'simulation/simulation.json').read_bytes()
    for number in range(len(whole)):
        out = ('--out', f'stopped-{number}')
        played.ran, played.stop_at = [], (number, stop)
        status, told = desk(*ARGUMENTS, *out)
        assert status == getattr(stop, 'status', 130) and told.endswith('stopped: the same command goes on here\n')
        assert (task.parent / out[1] / 'steps.jsonl').is_file()  # which refuses other settings from here on
        played.stop_at = None
        status, told = desk(*ARGUMENTS, *out)
        assert status == 0 and played.ran == whole
        assert (f'{number} of these 18 are done already' in told) == (number > 0)
        assert (task.parent / out[1] / 'simulation.json').read_bytes() == numbers


def test_a_step_that_fails_is_told_and_tried_again(desk, task, played, no_page):
    played.stop_at = (3, StepFailed(1, 'ERROR no memory (code 300103); the whole log: here.log'))
    status, told = desk(*ARGUMENTS)
    assert status == 1
    assert told.endswith('whole log: here.log\nthe same command goes on here, once what this tells of is mended\n')
    assert '1 of 10 trainings are done' in told
    played.stop_at = None
    assert desk(*ARGUMENTS)[0] == 0 and len(played.ran) == 18


def test_more_seeds_rounds_and_algorithms_add_to_what_is_there(desk, task, played, no_page):
    desk(*ARGUMENTS)
    played.ran = []
    status, told = desk('simulate', 'task', '--algorithms', 'random', '--rounds', '2', '--seeds', '3', '--images', '2')
    assert status == 0 and [step.seed for step, _ in played.ran] == [3] * 5
    played.ran = []
    status, told = desk('simulate', 'task', '--algorithms', 'entropy', '--diversity', '--rounds', '2', '--images', '2')
    diverse = [step for step in plan(['entropy+diversity'], 2, 2) if step.algorithm]
    again = [Step(TRAINING, seed, '', 0) for seed in (1, 2)]  # their models are gone
    assert status == 0 and [step for step, _ in played.ran] == [again[0], *diverse[:4], again[1], *diverse[4:]]


def test_other_settings_are_refused(desk, task, played, no_page):
    desk(*ARGUMENTS, '--set', 'max_epochs=3')
    for more, told_of in (
        (['--set', 'max_epochs=4'], 'max_epochs 3, not 4'),
        (['--set', 'max_epochs=3', 'mosaic=off'], 'mosaic auto, not off'),
        (['--set', 'max_epochs=3', '--images', '1'], '--images 2, not 1'),
    ):
        status, told = desk(*ARGUMENTS, *more)
        assert status == 2 and f'simulation with {told_of}: repeat its command to go on with it, remove it' in told
    assert (
        desk(*ARGUMENTS, '--set', 'max_epochs=3', 'save_resume_state=false', 'mosaic=auto')[0] == 0
    )  # as the file has
    index = task / 'in/train-index.tsv'
    index.write_text(''.join(index.read_text().splitlines(True)[::-1]))
    status, told = desk(*ARGUMENTS, '--set', 'max_epochs=3')
    assert status == 2 and 'simulation with training images ' in told
    (task / 'simulation/steps.jsonl').write_text('{}\n')
    status, told = desk(*ARGUMENTS, '--set', 'max_epochs=3')
    assert status == 2 and 'steps.jsonl is not what a simulation writes' in told


@pytest.mark.parametrize(
    'more, status, told_of',
    [
        (['--images', '3'], 2, '2 rounds of 3 images after the first 3 are 9, but the task has 8 to choose from: say '),
        (['--rounds', '8', '--images', '2'], 2, 'say fewer --rounds'),
        (['--images', '0'], 2, '--images must be at least 1, found 0'),
        (['--seeds', '0'], 2, '--seeds must be at least 1, found 0'),
        (
            ['--algorithms', 'margin'],
            2,
            '--algorithms margin: no algorithm is called so: use aldd, cald, entropy, random',
        ),
        (['--set', 'gpu_id=1'], 2, '--set gpu_id: it is that of the task, task'),
        (['--set', 'max_epoch=1'], 2, 'no parameter of training is called so'),
        (['--set', 'args_options=--no-validate'], 2, 'args_options --no-validate has no meaning here'),
        (['--set', 'args_options=--resume'], 2, 'args_options --resume has no meaning here'),
        (['--out', '0.png'], 2, '--out '),
    ],
)
def test_wrong_calls(desk, task, played, more, status, told_of):
    found, told = desk(*ARGUMENTS, *more)
    assert (found, played.ran) == (status, []) and told_of in told, told


def test_the_usual_step_is_a_tenth_of_the_images(desk, task, played):
    status, told = desk('simulate', 'task', '--rounds', '1')
    assert status == 2 and 'the task has 8 images to train on, too few to hide some: name one with 10 or more' in told


def test_tasks_of_another_kind(desk, task, played, tmp_path):
    desk(
        'make',
        '--from',
        'images',
        'data/JPEGImages',
        '--out',
        'mine',
        '--task',
        'mining',
        '--set',
        'mining_algorithm=random',
    )
    status, told = desk('simulate', 'mine')
    assert status == 2 and 'mine has no labels to hide: name a task that was made with --task training' in told
    status, told = desk('simulate', 'data')
    assert status == 2 and 'data is no task folder' in told
    (task / 'in/annotations/train.json').write_text(
        json.dumps({**json.loads((task / 'in/annotations/train.json').read_text()), 'annotations': []})
    )
    status, told = desk(*ARGUMENTS)
    assert status == 1 and 'none of the 8 images of in/train-index.tsv has a box: name a task that has labels' in told


@pytest.fixture
def steps(task, monkeypatch, tmp_path) -> Steps:
    """Steps on the task, of which start.py leaves AP50 0.5, and ranks images by their names."""

    def start(folder, env_file, output, update):
        env = read_env(env_file)
        job = read_job(env)  # as start.py does
        check_inputs(job)
        if env.run_training:
            (output.models_dir / 'epoch_1').mkdir(exist_ok=True)
            (output.models_dir / 'epoch_1/epoch_1.pth').write_bytes(b'')
            stages = {'epoch_1': {'files': ['epoch_1.pth']}}
            result = {'best_stage_name': 'epoch_1', 'mAP': 0.5, 'model_stages': stages}
            output.training_result_file.write_text(yaml.safe_dump(result))
        else:
            images = env.input.candidate_index_file.read_text().split()
            output.mining_result_file.write_text(''.join(f'{image}\t0.5\n' for image in sorted(images)))
        return 0, None

    monkeypatch.chdir(task)
    monkeypatch.setattr(steps_module, 'run_start', start)
    env = read_env(Path('in/env.yaml'))
    config = {**read_yaml_mapping(env.input.config_file).values, 'args_options': '--amp --seed 7'}
    pool = read_pool(env.input.training_index_file, read_job(env).training, Bar())
    return Steps(tmp_path / 'work', env, config, pool, count=2)


def test_the_folder_of_a_training(steps, task):
    """Its images and annotations are those of the task; the last --seed counts, and a state that is there."""
    step = Step(TRAINING, 3, '', 0)
    assert not steps.has_model(step)
    assert steps.run(step, [4, 1], print) == {'ap_50': 0.5}
    assert steps.has_model(step)
    folder = steps.folder / step.name
    annotations = 'in/annotations/train.json'
    index = (folder / 'in/train-index.tsv').read_text()
    assert index == f'in/assets/4.png\t{annotations}\nin/assets/1.png\t{annotations}\n'
    env = read_env(folder / 'in/env.yaml')
    assert env.input.val_index_file == Path('in/val-index.tsv')
    assert read_job(env).training.args_options == options.train_args('--amp --seed 3')
    assert read_job(env).training.export_onnx == 'off'
    (folder / 'out/training').mkdir()
    (folder / 'out/training/resume.pth').write_bytes(b'')
    steps.run(step, [4, 1], print)
    assert read_job(env).training.args_options == options.train_args('--amp --seed 3 --resume')


@pytest.mark.parametrize('status, anew', [(1, True), (143, False)])
def test_a_state_that_does_not_fit_is_trained_anew(steps, task, monkeypatch, status, anew):
    """One of half the batch, since memory had ended; but a stop is a stop."""
    step, seen, start = Step(TRAINING, 3, '', 0), [], steps_module.run_start
    steps.run(step, [4, 1], print)
    (steps.folder / step.name / 'out/training').mkdir()
    (steps.folder / step.name / 'out/training/resume.pth').write_bytes(b'')

    def failing(folder, env_file, output, update):
        resumes = read_job(read_env(env_file)).training.args_options.resume is not None
        seen.append((resumes, (output.root_dir / 'training').is_dir()))
        if resumes:
            log = SimpleNamespace(last_line=lambda: 'batch_size was 4, is 8', file='log')
            return status, log
        return start(folder, env_file, output, update)

    monkeypatch.setattr(steps_module, 'run_start', failing)
    if anew:
        assert steps.run(step, [4, 1], print) == {'ap_50': 0.5}
        assert seen == [(True, True), (False, False)]
    else:
        with pytest.raises(steps_module.StepFailed):
            steps.run(step, [4, 1], print)
        assert seen == [(True, True)]


def test_the_folder_of_a_mining(steps):
    steps.run(Step(TRAINING, 1, '', 0), [4, 1], print)
    step = Step(MINING, 1, 'aldd+diversity', 1)
    assert steps.run(step, [4, 1], print) == {'chosen': [0, 2]}
    params = read_job(read_env(steps.folder / step.name / 'in/env.yaml')).mining
    assert (params.mining_algorithm, params.diversity, params.class_names) == ('aldd', 'on', ('cat', 'dog'))
    assert params.model_files == (steps.folder / 'seed1-first-0-training/out/models/epoch_1/epoch_1.pth',)
    seeds = set()
    for seed in (1, 2):
        for number in (1, 2):
            step = Step(MINING, seed, 'random', number)
            steps.run(step, [4, 1], print)
            params = read_job(read_env(steps.folder / step.name / 'in/env.yaml')).mining
            assert params.model_files == () and params.diversity == 'off'
            seeds.add(params.seed)
    assert len(seeds) == 4  # chance is another each time


def test_a_folder_in_use_is_refused(desk, task, tmp_path):
    (tmp_path / 'task/simulation').mkdir()
    lock = os.open(str(tmp_path / 'task/simulation'), os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_SH)
    status, told = desk(*ARGUMENTS)
    os.close(lock)
    assert status == 1 and 'simulation is in use by another task' in told


def test_boxes_that_are_ignored_are_not_counted():
    boxes = (TrueBox(0, 0, 0, 9, 9), TrueBox(0, 0, 0, 9, 9, ignore=True))
    assert count_boxes([boxes, ()], 2).tolist() == [[1, 0], [0, 0]]
