"""When a training begins again with half its batch."""

from __future__ import annotations

import pytest

from executor.contract.failure import Failure
from executor.training.smaller_batch import with_half_the_batch

GPU_MEMORY = Failure(300103, 'out of GPU memory', '', kind='GpuMemoryError')
VALIDATION_MEMORY = Failure(300103, 'out of GPU memory', '', kind='ValidationMemoryError')
OTHER_MEMORY = Failure(300103, 'out of memory', '', kind='OutOfMemoryError')


@pytest.mark.parametrize('samples, expected', [(16, [8, 4, 2, 1]), (7, [3, 1]), (1, [])])
def test_half_the_batch_down_to_one_image(ymir_task, caplog, samples, expected):
    job, batches = ymir_task.job('training', samples_per_gpu=samples), []
    while (job := with_half_the_batch(job, GPU_MEMORY)) is not None:
        batches.append(job.training.samples_per_gpu)
    assert batches == expected
    again = 'beginning again with half the batch: samples_per_gpu'
    assert caplog.messages == [words for n in expected for words in ('out of GPU memory', f'{again} {n}')]


@pytest.mark.parametrize(
    'task, options, failure, left',
    [
        ('training', {}, OTHER_MEMORY, 'log.txt'),
        ('training', {}, GPU_MEMORY, 'models/result.yaml'),  # stages would be lost
        ('training', {'cfg_options': 'train_dataloader.batch_size=4'}, GPU_MEMORY, 'log.txt'),
        ('training', {'args_options': '--cfg-options train_dataloader.batch_size=4'}, GPU_MEMORY, 'log.txt'),
        ('infer', {}, GPU_MEMORY, 'log.txt'),  # it has halved its batches already
    ],
)
def test_when_a_smaller_batch_does_not_help(ymir_task, caplog, task, options, failure, left):
    ymir_task.write(f'out/{left}', '')
    assert with_half_the_batch(ymir_task.job(task, samples_per_gpu=4, **options), failure) is None
    assert caplog.messages == []


@pytest.mark.parametrize('named', [True, False])
def test_a_training_that_goes_on_with_the_schedule_of_another_keeps_its_batch(ymir_task, named):
    state = ymir_task.write('in/models/epoch_3/resume.pth', '')
    option = f'--resume {state}' if named else '--resume'
    config = {'samples_per_gpu': 4, 'pretrained_model_params': [] if named else [str(state)]}
    assert with_half_the_batch(ymir_task.job(args_options=option, **config), GPU_MEMORY) is None
    # Without a state to go on with, or without going on, nothing is lost.
    for options in ({'args_options': '--resume', 'samples_per_gpu': 4}, config):
        assert with_half_the_batch(ymir_task.job(**options), GPU_MEMORY).training.samples_per_gpu == 2


@pytest.mark.parametrize(
    'options, expected', [('', [4, 2, 1]), ('val_dataloader.batch_size=3', [1]), ('val_dataloader.batch_size=1', [])]
)
def test_after_a_validation_a_training_goes_on_with_half_of_its_batch(ymir_task, caplog, options, expected):
    """What is saved stays, and so does the schedule."""
    ymir_task.write('out/models/result.yaml', '')
    before = ymir_task.job('training', samples_per_gpu=8, cfg_options=f'a=1 {options}', args_options='--amp')
    job, batches = before, []
    while (job := with_half_the_batch(job, VALIDATION_MEMORY)) is not None:
        batches.append(job.training.config_options['val_dataloader.batch_size'])
        assert (job.training.samples_per_gpu, job.training.cfg_options['a']) == (8, 1)
        assert (job.training.args_options.resume, job.training.args_options.amp) == ('latest', True)
    assert batches == expected
    again = 'going on with half of it: val_dataloader.batch_size'
    assert caplog.messages == [words for n in expected for words in ('out of GPU memory', f'{again} {n}')]
