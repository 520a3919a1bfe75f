"""Which of several machines this one is: by options, and by what torchrun and schedulers say in the environment."""

from __future__ import annotations

import pytest

from executor.contract.errors import ConfigError
from executor.process.node import ALONE, Node, read_node

SLURM = {
    'SLURM_STEP_NUM_NODES': '3',
    'SLURM_NODEID': '2',
    'SLURM_STEP_NODELIST': 'gpu[03-05,9],login',
    'SLURM_LOCALID': '0',
}


@pytest.mark.parametrize(
    'options, environment, expected',
    [
        ((None, None, None), {}, ALONE),
        (('1', None, None), {'MASTER_ADDR': 'somewhere'}, ALONE),
        ((None, None, None), {'WORLD_SIZE': '8', 'RANK': '3', 'MASTER_ADDR': 'a', 'JOB_COMPLETION_INDEX': '1'}, ALONE),
        (('2', '1', '10.0.0.1:1234'), {}, Node(1, 2, '10.0.0.1', 1234)),
        (('2', '0', 'head'), {}, Node(0, 2, 'head', 29400)),
        (('2', '0', 'head'), {'MASTER_PORT': '77'}, Node(0, 2, 'head', 77)),
        (('2', '0', '[fe80::1]:88'), {}, Node(0, 2, 'fe80::1', 88)),
        (
            (None, None, None),
            {'PET_NNODES': '4', 'PET_NODE_RANK': '3', 'PET_RDZV_ENDPOINT': 'a-b.c:5'},
            Node(3, 4, 'a-b.c', 5),
        ),
        (
            (None, None, None),
            {'PET_NNODES': '4', 'PET_NODE_RANK': '3', 'MASTER_ADDR': 'head', 'MASTER_PORT': '6'},
            Node(3, 4, 'head', 6),
        ),
        ((None, None, None), SLURM, Node(2, 3, 'gpu03', 29400)),
        ((None, None, None), {**SLURM, 'SLURM_STEP_NODELIST': 'login,gpu[3-4]'}, Node(2, 3, 'login', 29400)),
        ((None, None, None), {**SLURM, 'SLURM_STEP_NUM_NODES': '1'}, ALONE),
        (('2', None, None), {**SLURM, 'SLURM_NODEID': '1'}, Node(1, 2, 'gpu03', 29400)),
        (('2', None, 'job-0.job:9'), {'JOB_COMPLETION_INDEX': '1'}, Node(1, 2, 'job-0.job', 9)),
    ],
)
def test_a_machine_knows_its_number(options, environment, expected):
    assert read_node(*options, environment) == expected


@pytest.mark.parametrize(
    'options, environment, message',
    [
        (('two', None, None), {}, "--nodes must be a whole number from 1 to 4096, found 'two'"),
        (('0', None, None), {}, "--nodes must be a whole number from 1 to 4096, found '0'"),
        ((None, None, None), {'PET_NNODES': '1:4'}, "PET_NNODES must be a whole number from 1 to 4096, found '1:4'"),
        (('2', None, None), {}, '--nodes 2 needs --node-rank, the number of this machine from 0 to 1'),
        (('2', '2', 'a:1'), {}, "--node-rank must be a whole number from 0 to 1, found '2'"),
        (('2', '1', None), {}, '--nodes 2 needs --rendezvous HOST:PORT, where node 0 can be reached'),
        (('2', '1', 'a b:1'), {}, "--rendezvous must be HOST:PORT, such as 10.0.0.1:29400, found 'a b:1'"),
        (('2', '1', 'a:99999'), {}, "--rendezvous must be a whole number from 1 to 65535, found '99999'"),
        ((None, '1', None), {}, '--node-rank is of a task on several machines: give --nodes, their number, too'),
        ((None, None, 'a:1'), {}, '--rendezvous is of a task on several machines: give --nodes, their number, too'),
        (
            (None, None, None),
            {**SLURM, 'SLURM_LOCALID': '1'},
            r'start.py was started several times on this node: start it once \(srun --ntasks-per-node=1\)',
        ),
    ],
)
def test_what_is_missing_or_wrong_is_told(options, environment, message):
    with pytest.raises(ConfigError, match=f'^{message}$'):
        read_node(*options, environment)
