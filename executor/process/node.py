"""Say which of the machines that share a task this one is: read once, at the door."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Optional, Sequence, Tuple

from executor.contract.errors import ConfigError
from executor.contract.shown import shown

_PORT = 29400  # where a scheduler names a host alone
_MOST_NODES = 4096


@dataclass(frozen=True)
class Node:
    """One of `count` machines, all with the same /in and /out. Number 0, `host`, writes what the platform reads."""

    rank: int = 0
    count: int = 1
    host: str = ''
    port: int = 0
    attempt: int = 1  # a task that begins again with a smaller batch does so on all of them

    @property
    def is_first(self) -> bool:
        """Say whether this is the one that speaks."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Say whether there are no others."""
        return self.count == 1

    @property
    def described(self) -> str:
        """Say in the log's first line which one this is; nothing where it is alone."""
        return '' if self.is_alone else f', as node {self.rank} of {self.count}, which meet at {self.host}:{self.port}'


ALONE = Node()

# Where each value is looked for: the option, torchrun's own variable, Slurm's of a job step (srun), Kubernetes' of an
# Indexed Job. What torchrun sets for its ranks (RANK, WORLD_SIZE) is not among them: a container may have that from
# anywhere. MASTER_ADDR is a host that counts only where there are several nodes.
_COUNT = ('PET_NNODES', 'SLURM_STEP_NUM_NODES')
_RANK = ('PET_NODE_RANK', 'SLURM_NODEID', 'JOB_COMPLETION_INDEX')
_RENDEZVOUS = ('PET_RDZV_ENDPOINT', 'PET_MASTER_ADDR', 'MASTER_ADDR', 'SLURM_STEP_NODELIST')
_PORTS = ('PET_MASTER_PORT', 'MASTER_PORT')


def read_node(
    count: Optional[str], rank: Optional[str], rendezvous: Optional[str], environment: Mapping[str, str]
) -> Node:
    """Read the options `--nodes`, `--node-rank` and `--rendezvous`; the environment says what they leave out.

    Raises:
        ConfigError: a value is missing, or is none.
    """
    counted = _first('--nodes', count, _COUNT, environment)
    if counted is None:
        given = next((name for name, one in (('--node-rank', rank), ('--rendezvous', rendezvous)) if one), None)
        if given:
            raise ConfigError(f'{given} is of a task on several machines: give --nodes, their number, too')
        return ALONE
    nodes = _whole(counted, 1, _MOST_NODES)
    if nodes == 1:
        return ALONE
    if environment.get('SLURM_LOCALID', '0') != '0':
        raise ConfigError('start.py was started several times on this node: start it once (srun --ntasks-per-node=1)')
    ranked = _first('--node-rank', rank, _RANK, environment)
    if ranked is None:
        raise ConfigError(f'--nodes {nodes} needs --node-rank, the number of this machine from 0 to {nodes - 1}')
    met = _first('--rendezvous', rendezvous, _RENDEZVOUS, environment)
    if met is None:
        raise ConfigError(f'--nodes {nodes} needs --rendezvous HOST:PORT, where node 0 can be reached')
    host, port = _place(met, environment)
    return Node(_whole(ranked, 0, nodes - 1), nodes, host, port)


_Named = Tuple[str, str]  # where a value is from, and the value


def _first(option: str, given: Optional[str], names: Sequence[str], environment: Mapping[str, str]) -> Optional[_Named]:
    found = [(option, given), *((name, environment.get(name)) for name in names)]
    return next(((name, value) for name, value in found if value), None)


def _whole(found: _Named, least: int, most: int) -> int:
    name, value = found
    if not re.fullmatch('[0-9]{1,6}', value, re.ASCII) or not least <= int(value) <= most:
        raise ConfigError(f'{name} must be a whole number from {least} to {most}, found {shown(value)}')
    return int(value)


def _place(found: _Named, environment: Mapping[str, str]) -> Tuple[str, int]:
    """Part HOST:PORT; a host alone has the port that the environment names, or ours."""
    name, value = found
    value = _first_host(value) if name == 'SLURM_STEP_NODELIST' else value
    match = re.fullmatch(r'(\[[0-9a-fA-F:.]+\]|[0-9A-Za-z_.-]{1,253})(?::([0-9]{1,5}))?', value, re.ASCII)
    if match is None:
        raise ConfigError(f'{name} must be HOST:PORT, such as 10.0.0.1:{_PORT}, found {shown(value)}')
    port = _first(name, match[2], _PORTS, environment) or (name, str(_PORT))
    return match[1].strip('[]'), _whole(port, 1, 65535)


def _first_host(nodes: str) -> str:
    """Return the first host of Slurm's short form, such as `gpu[03-05,9],login` for gpu03."""
    return re.sub(r'^([^,[]*)(?:\[([0-9]+)[^]]*\])?.*$', r'\1\2', nodes)
