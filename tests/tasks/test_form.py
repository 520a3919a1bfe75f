"""The keys of the form in whole tasks: one training, gone on with, and what its package detects with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from demo import shapes
from demo.task_folder import write_config
from executor.config.plain import read_plain_config
from executor.contract.config_yaml import read_job
from executor.contract.env import read_env
from executor.detection.detect import compose
from executor.images.decode import read_image
from executor.weights.checkpoint import read_checkpoint
from tests.support.random_model import write_random_weights
from tests.support.start import monitor_of, result_of, run

pytestmark = pytest.mark.slow

NANO = Path(shapes.CONFIG_FILE).name
FROZEN = ('backbone.stem.', 'backbone.stage1.')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A training that finds nothing better after its first epoch, since there is nothing to find, and its output."""
    root = tmp_path_factory.mktemp('form')
    weights = write_random_weights(root / 'in/models/start.pth', shapes.CONFIG_FILE, ('one', 'two'))
    env_file = shapes.write_task(
        *(root, 4, 2),
        pretrained_model_params=[str(weights)],
        **{'max_epochs': 20, 'samples_per_gpu': 4, 'workers_per_gpu': 'none', 'max_keep_checkpoints': 2},
        **{'input_size': '96,64', 'learning_rate': '0.004', 'freeze': '2', 'patience': '2', 'mosaic': 'off'},
    )
    for annotation in (root / 'in/annotations').glob('val-*.txt'):
        annotation.write_text('', encoding='utf-8')
    return env_file, run(env_file)


def test_patience_ends_a_training(trained):
    env_file, output = trained
    assert 'AP50 has not been better than 0.0000 since epoch 1: ending after epoch 3 of 20' in output
    assert monitor_of(env_file)[2:] == ['1.00', '2']
    assert list(result_of(env_file)['model_stages']) == ['epoch_2', 'epoch_3']


def test_frozen_parts_are_in_the_package_as_they_began(trained):
    env_file, output = trained
    root = env_file.parents[1]
    before = read_checkpoint(root / 'in/models/start.pth')['state_dict']
    averaged = read_checkpoint(root / 'out/models/epoch_3/epoch_3.pth')['state_dict']
    state = read_checkpoint(root / 'out/training/resume.pth')
    for after in (averaged, state['state_dict']):
        for name, value in after.items():
            if name.startswith(FROZEN):
                assert torch.equal(value, before[name]), name
        changed = [name for name, value in after.items() if not torch.equal(value, before.get(name, value))]
        learned = {name.split('.')[1] for name in changed}
        assert {'stage2', 'stage3', 'stage4'} <= learned
    assert 'frozen of the backbone: stem, stage1; ' in output


def test_the_rate_is_that_of_the_whole_batch(trained):
    _, output = trained
    assert 'learning_rate: 0.004 for a total batch of 4, instead of 0.0015749' in output  # 0.01 * (4 / 64) ** (2 / 3)
    assert 'learning rate 0.004; epochs of the schedule' in output


@pytest.mark.parametrize('tasks', [('infer',), ('mining',), ('infer', 'mining')])
def test_its_package_detects_at_the_size_of_the_training_without_a_key(trained, tmp_path, tasks):
    env_file, _ = trained
    models = read_env(env_file).output.models_dir
    stage = sorted(models.glob('epoch_*'))[-1]
    config = read_plain_config(stage / NANO)
    assert config['test_dataloader']['dataset']['pipeline'][1]['scale'] == (96, 64)
    kinds = [transform['type'] for transform in config['train_dataloader']['dataset']['pipeline']]
    assert 'Mosaic' not in kinds and 'Resize' in kinds
    files = [str(stage / f'{stage.name}.pth'), str(stage / NANO)]
    wanted = {task: task in tasks for task in ('infer', 'mining')}
    for key, size in (({}, (64, 96)), ({'input_size': '128'}, (96, 128))):  # in the same proportion: 85 is about 96
        task = shapes.write_candidates_task(tmp_path / f'{len(key)}', 1, model_params_path=files, **wanted, **key)
        job = read_job(read_env(task))
        work = compose(job.infer, job.mining, cores=1)
        image = read_image(tmp_path / f'{len(key)}/in/assets/new-1.jpg')
        assert work.prepare(image).pixels.shape == (*size, 3)


def test_the_training_goes_on_to_count(trained):
    """The last test, since it changes the task: epochs that were not better are remembered."""
    env_file, _ = trained
    root = env_file.parents[1]
    text = (root / 'in/config.yaml').read_text(encoding='utf-8')
    write_config(root, **{**yaml.safe_load(text), 'patience': 4, 'args_options': '--resume'})
    output = run(env_file)
    assert 'better than 0.0000 since epoch 1: ending after epoch 5 of 20' in output
    assert 'epoch 3 of 20' not in output and 'epoch 4 of 20: ' in output
