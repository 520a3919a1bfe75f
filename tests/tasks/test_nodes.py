"""One task on several machines: several start.py that meet on this one, with the same /in and /out."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import List, Sequence

import pytest
import torch

from demo import shapes
from executor.weights.checkpoint import read_checkpoint
from tests.support.random_model import NANO, write_random_weights
from tests.support.start import monitor_of, result_of, run, start, wait_for
from tests.support.task_folder import names_in

pytestmark = pytest.mark.slow

TRAINING = {'max_epochs': 2, 'samples_per_gpu': 2, 'workers_per_gpu': 1, 'input_size': '96'}


def start_nodes(env_file: Path, count: int, *options: str) -> List[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        place = f'127.0.0.1:{free.getsockname()[1]}'
    several = ('--nodes', str(count), '--rendezvous', place, *options)
    return [start(env_file, '--node-rank', str(rank), *several) for rank in range(count)]


def ended(nodes: Sequence[subprocess.Popen], status: int = 0) -> List[str]:
    """Return what the nodes printed."""
    outputs = [node.communicate(timeout=300)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [status] * len(nodes), '\n'.join(outputs)
    return outputs


def write_candidates_task(root: Path, **config: object) -> Path:
    model = write_random_weights(root / 'in/models/model.pth', NANO, shapes.CLASS_NAMES)
    values = {'model_params_path': [str(model)], 'config_file': NANO, 'conf_threshold': 0.6, 'samples_per_gpu': 3}
    return shapes.write_candidates_task(root, 11, workers_per_gpu=1, input_size='96', seed=0, **{**values, **config})


def test_a_training_is_the_same_on_two_machines_as_on_one(tmp_path, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')  # a sum depends on how many threads have parts of it
    one, two = (shapes.write_task(tmp_path / name, 9, 5, **TRAINING) for name in ('one', 'two'))
    run(one, '--cpu-ranks', '2')
    first, second = ended(start_nodes(two, 2))
    weights = [
        read_checkpoint(tmp_path / name / 'out/models/epoch_2/epoch_2.pth')['state_dict'] for name in ('one', 'two')
    ]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert names_in(tmp_path / 'one/out') == names_in(tmp_path / 'two/out')
    stages = [result_of(env_file)['model_stages'] for env_file in (one, two)]
    assert [stage['mAP'] for stage in stages[0].values()] == [stage['mAP'] for stage in stages[1].values()]
    assert monitor_of(two)[2:] == ['1.00', '2']
    assert len(list((tmp_path / 'two/out/tensorboard').iterdir())) == 1
    assert ', as node 1 of 2, which meet at 127.0.0.1:' in second
    assert 'epoch 2 of 2' in first and 'epoch' not in second  # rank 0 speaks for all


@pytest.mark.parametrize('algorithm, options', [('aldd', ('--cpu-ranks', '2')), ('cald', ()), ('entropy', ())])
def test_results_are_the_same_on_two_machines_as_on_one(tmp_path, algorithm, options):
    one, two = (write_candidates_task(tmp_path / name, mining_algorithm=algorithm) for name in ('one', 'two'))
    run(one)
    ended(start_nodes(two, 2, *options))
    for name in ('infer-result.json', 'result.tsv'):
        found = [(tmp_path / folder / 'out' / name).read_text() for folder in ('one', 'two')]
        assert found[0] == found[1].replace('/two/', '/one/')
    assert names_in(tmp_path / 'two/out') == names_in(tmp_path / 'one/out')
    assert monitor_of(two)[2:] == ['1.00', '2']


SILENT = 'gives no sign of life any more: '


@pytest.mark.parametrize(
    'killed, how, told',
    [(0, 'a machine', SILENT), (1, 'a machine', SILENT), (1, 'start.py', 'start.py was stopped there: ')],
)
def test_a_machine_that_dies_ends_the_other_and_costs_no_stage(tmp_path, killed, how, told):
    env_file = shapes.write_task(tmp_path, 8, 2, **{**TRAINING, 'max_epochs': 500, 'max_keep_checkpoints': 1})
    nodes = start_nodes(env_file, 2)
    result_file = tmp_path / 'out/models/result.yaml'
    wait_for(nodes[killed], lambda: result_file.is_file() and 'epoch_2' in result_file.read_text(encoding='utf-8'))
    dying = nodes[killed]
    if how == 'a machine':
        subprocess.run(['pkill', '-KILL', '-s', str(dying.pid)], check=True)  # all that runs there
    else:
        dying.kill()
    (left,) = ended([nodes[1 - killed]], status=1)
    dying.communicate()
    assert f'node {killed} ({socket.gethostname()})' in left.splitlines()[-1]
    assert told in left.splitlines()[-1]
    if killed == 1:
        assert told in monitor_of(env_file)[5]
    for name, stage in result_of(env_file)['model_stages'].items():
        assert read_checkpoint(tmp_path / 'out/models' / name / stage['files'][0])['state_dict']
