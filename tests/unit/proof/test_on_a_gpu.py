"""What proofs ask for on a GPU, of tasks that are only noted: without one nothing else comes to these lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from demo import shapes
from proof import codes, memory, speed, training
from proof.apart import Failed
from proof.bench import SIZES, Bench, Ended, log_of
from proof.speed import Steps
from proof.table import Verdict

EPOCH = 'epoch 16 of 16: loss {} (cls 1.000), learning rate 0.1; 50.0 images/s, waited; AP50 0.5, AP 0.25, best\n'
HALVED = 'WARNING beginning again with half the batch: samples_per_gpu 32\n'


class Noted:
    """Tasks that would have been started, in the place of start.py."""

    def __init__(self, monkeypatch) -> None:
        self.config: list[dict[str, Any]] = []  # config.yaml of each
        self.options: list[tuple[str, ...]] = []
        self.environ: list[dict[str, str]] = []
        self.ended = Ended(0, '')
        self.ap_50 = 0.5  # of each training, in their order, from its end
        self.monitor = ''
        write = shapes.write_task
        monkeypatch.setattr(shapes, 'write_task', lambda root, *_, **config: write(root, 1, 1, **config))
        monkeypatch.setattr(Bench, 'start', self.start)

    def start(self, env_file: Path, *options: str, environ: dict[str, str] = {}) -> Ended:  # noqa: B006
        self.config.append(yaml.safe_load((env_file.parent / 'config.yaml').read_text(encoding='utf-8')))
        self.options.append(options)
        self.environ.append(environ)
        out = env_file.parents[1] / 'out'
        (out / 'models' / 'result.yaml').write_text(f'mAP: {self.ap_50}\n')
        (out / 'monitor.txt').write_text(self.monitor)
        log_of(env_file).write_text(self.ended.log)
        return self.ended

    def gpus(self) -> list[str]:
        return [config['gpu_id'] for config in self.config]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench('cuda', 2, tmp_path, SIZES['cuda'], tmp_path / 'log')


@pytest.fixture
def noted(monkeypatch) -> Noted:
    return Noted(monkeypatch)


@pytest.mark.parametrize(
    'reference, found, loss, verdict',
    [
        (0.5, 0.36, '6.1', Verdict.PASSED),
        (0.5, 0.34, '6.1', Verdict.FAILED),
        (0.5, 0.9, '6.1', Verdict.PASSED),
        (0.5, 0.9, 'nan', Verdict.FAILED),
        (0.5, 0.9, 'inf', Verdict.FAILED),
    ],
)
def test_training_in_mixed_precision_and_on_two_gpus(bench, noted, reference, found, loss, verdict):
    noted.ended, noted.ap_50 = Ended(0, EPOCH.format('6.0')), reference
    assert training.prove_reference(bench).verdict is Verdict.PASSED
    noted.ended, noted.ap_50 = Ended(0, EPOCH.format(loss)), found
    assert training.prove_mixed(bench).verdict is verdict
    assert training.prove_two_ranks(bench).verdict is verdict
    assert noted.gpus() == ['', '0', '0', '0,1']
    assert [config['samples_per_gpu'] for config in noted.config] == [8, 8, 8, 4]
    assert ['type=OptimWrapper' in config['cfg_options'] for config in noted.config] == [False, False, True, False]
    assert noted.options == [()] * 4 and noted.environ == [{'OMP_NUM_THREADS': '4'}, {}, {}, {}]


def test_a_reference_that_learns_nothing_fails(bench, noted):
    noted.ended, noted.ap_50 = Ended(0, EPOCH.format('6.0')), 0.09
    assert training.prove_reference(bench).verdict is Verdict.FAILED


def test_a_training_that_fails_says_how(bench, noted):
    noted.ended = Ended(1, 'Traceback\nERROR the GPU cannot be used (code 300101)\n\n')
    with pytest.raises(RuntimeError, match=r'^start.py ended with 1: ERROR the GPU cannot be used \(code 300101\)$'):
        training.prove_mixed(bench)


@pytest.mark.parametrize(
    'status, log, verdict, told',
    [
        (0, HALVED, Verdict.PASSED, 'batches of 64, 32; it trained'),
        (0, '', Verdict.FAILED, 'batches of 64; it trained'),
        (1, HALVED + 'ERROR out of GPU memory', Verdict.FAILED, 'batches of 64, 32; ERROR out of GPU memory'),
    ],
)
def test_memory_for_a_training_is_six_tenths_of_what_it_took(bench, noted, monkeypatch, status, log, verdict, told):
    monkeypatch.setattr(Bench, 'apart', lambda *_: 1000 * 2**20)
    noted.ended = Ended(status, log)
    assert memory.prove_training(bench) == (f'600 MB left of 1000: {told}', verdict)
    assert noted.environ[0]['PROOF_TAKES'] == f'bytes:{600 * 2**20}' and noted.gpus() == ['0']


@pytest.mark.parametrize(
    'code, status, verdict', [(300102, 1, Verdict.PASSED), (300101, 1, Verdict.FAILED), (300102, 0, Verdict.FAILED)]
)
def test_the_gpu_behind_the_last(bench, noted, code, status, verdict):
    noted.ended, noted.monitor = Ended(status, ''), f'task-1\t1.0\t0.00\t4\t{code}\tthere is none\nTraceback\n'
    found = codes.prove_no_gpu(bench)
    assert found == (f'exit status {status}, code {code}: there is none', verdict)
    assert noted.gpus() == ['2'] and noted.environ == [{}]


@pytest.mark.parametrize(
    'single, verdict, told',
    [
        (0.5, Verdict.PASSED, '2.00 times as fast'),
        (0.2, Verdict.NOT_REACHED, '0.80 times as fast'),
        (Failed('GpuMemoryError: out of memory'), Verdict.NOT_HERE, 'its memory is too small for single precision'),
    ],
)
def test_mixed_precision_against_single(bench, monkeypatch, single, verdict, told):
    def steps(bench, name, repeat=False, cfg_options=''):
        assert repeat
        if not cfg_options:
            return Steps(0.25, 64.0)
        if isinstance(single, Failed):
            raise single
        return Steps(single, 64.0)

    monkeypatch.setattr(speed, '_steps', steps)
    found = speed.prove_mixed(bench)
    assert found.verdict is verdict and found.found.endswith(told)


@pytest.mark.parametrize('real, verdict', [(0.105, Verdict.PASSED), (0.11, Verdict.NOT_REACHED)])
def test_waiting_is_what_a_step_with_a_batch_that_is_there_is_faster(bench, monkeypatch, real, verdict):
    monkeypatch.setattr(speed, '_steps', lambda bench, name, repeat=False: Steps(0.1 if repeat else real, 160.0))
    found = speed.prove_waiting(bench)
    assert found.verdict is verdict
    assert f'{1 - 0.1 / real:.1%} of the time is waiting for images' in found.found


@pytest.mark.parametrize('alone, verdict', [(1000.0, Verdict.PASSED), (1100.0, Verdict.NOT_REACHED)])
def test_inference_against_its_network(bench, monkeypatch, alone, verdict):
    results = iter([(900.0, 'decode 2.00 ms an image'), (32, alone)])
    monkeypatch.setattr(Bench, 'apart', lambda *_: next(results))
    found = speed.prove_inference(bench)
    assert found.verdict is verdict
    assert f'alone {alone:.0f} at batch 32: {900 / alone:.2f}; decode 2.00 ms an image' in found.found
