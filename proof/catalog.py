"""List the proofs: what each is called, what it shows, its goal and what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Tuple

from proof import codes, inference, memory, mining, operators, speed, training
from proof.bench import Bench
from proof.table import Outcome


@dataclass(frozen=True)
class Proof:
    """One row of the table."""

    name: str
    prove: Callable[[Bench], Outcome]
    goal: str
    gpus: int = 0  # that it needs, where it is about GPUs
    of_a_gpu: bool = False  # whether it has no meaning on a CPU

    def lacks(self, bench: Bench) -> str:
        """Say what it needs that is not there; nothing where all is."""
        if self.of_a_gpu and not bench.on_gpu:
            return 'only a GPU has it'
        if bench.on_gpu and bench.gpus < self.gpus:
            return f'there are {bench.gpus} GPUs, it takes {self.gpus}'
        return ''


# In this order: the model of the first training is what others find and mine with.
PROOFS: Tuple[Proof, ...] = (
    Proof("mmcv's operators", operators.prove, operators.GOAL),
    Proof('training on the CPU', training.prove_reference, training.GOAL),
    Proof('training in mixed precision', training.prove_mixed, training.GOAL_LIKE_CPU, of_a_gpu=True),
    Proof('training by two ranks', training.prove_two_ranks, training.GOAL_LIKE_CPU, gpus=2),
    Proof('inference', inference.prove, inference.GOAL),
    *(Proof(f'mining by {name}', prove, mining.GOAL) for name, prove in mining.BY_ALGORITHM.items()),
    Proof('memory ends in training', memory.prove_training, memory.GOAL_TRAINING),
    Proof('memory ends in inference', memory.prove_inference, memory.GOAL_INFERENCE),
    Proof('a GPU that torch cannot use', codes.prove_mismatch, codes.GOAL_MISMATCH),
    Proof('a GPU that is not there', codes.prove_no_gpu, codes.GOAL_NO_GPU),
    Proof('waiting for images in training', speed.prove_waiting, speed.GOAL_WAITING),
    Proof('speed of mixed precision', speed.prove_mixed, speed.GOAL_MIXED, of_a_gpu=True),
    Proof('speed of inference', speed.prove_inference, speed.GOAL_INFERENCE),
)
