"""Which proofs there are, and what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from mining.catalog import ALGORITHMS
from proof.bench import SIZES, Bench
from proof.catalog import PROOFS


def lacking(device: str, gpus: int) -> dict[str, str]:
    bench = Bench(device, gpus, Path(), SIZES[device], Path())
    return {proof.name: proof.lacks(bench) for proof in PROOFS if proof.lacks(bench)}


@pytest.mark.parametrize(
    'device, gpus, expected',
    [
        (
            'cpu',
            0,
            {'training in mixed precision': 'only a GPU has it', 'speed of mixed precision': 'only a GPU has it'},
        ),
        ('cuda', 1, {'training by two ranks': 'there are 1 GPUs, it takes 2'}),
        ('cuda', 2, {}),
    ],
)
def test_what_is_not_proven_says_why(device, gpus, expected):
    assert lacking(device, gpus) == expected


def test_names_are_for_one_proof_and_log_each():
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)
    assert {f'mining by {name}' for name in ALGORITHMS} <= {proof.name for proof in PROOFS}


def test_what_config_yaml_says_of_the_device():
    assert Bench('cpu', 0, Path(), SIZES['cpu'], Path()).config == {'gpu_id': '', 'gpu_count': 0}
    bench = Bench('cuda', 4, Path(), SIZES['cuda'], Path())
    assert bench.config == {'gpu_id': '0', 'gpu_count': 1}
    assert bench.on_gpus(2) == {'gpu_id': '0,1', 'gpu_count': 2}
