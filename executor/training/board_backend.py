"""Write what mmengine tells of a training, and what we do, into the one file that TensorBoard shows of it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

from mmengine.config import Config
from mmengine.registry import VISBACKENDS
from mmengine.runner import Runner
from mmengine.visualization import BaseVisBackend

from executor.contract.shown import first_line
from executor.report.board import Board

logger = logging.getLogger(__name__)


@VISBACKENDS.register_module()
class BoardBackend(BaseVisBackend):
    """Gives mmengine's scalars and config to a board, which begins its file with the first of them: on rank 0."""

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir)
        self._board: Optional[Board] = None

    @property
    def experiment(self) -> Board:
        """Return the board."""
        if self._board is None:
            self._board = Board(Path(self._save_dir))
        return self._board

    def _init_env(self) -> None:
        pass

    def add_config(self, config: Config, **kwargs: object) -> None:
        """Show the config, as it is."""
        self.experiment.text('config', '\n'.join(f'    {line}' for line in config.pretty_text.splitlines()))

    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: object) -> None:
        """Add a point to a curve."""
        self.experiment.scalar(name, float(value), step)

    def add_scalars(
        self, scalar_dict: Dict[str, Any], step: int = 0, file_path: Optional[str] = None, **kwargs: object
    ) -> None:
        """Add a point to each of several curves."""
        for name, value in scalar_dict.items():
            self.add_scalar(name, value, step)


@contextmanager
def board_of(runner: Runner) -> Iterator[Board]:
    """Give the board of rank 0; whatever goes wrong in the block is a warning, since a board is an extra."""
    try:
        yield runner.visualizer.get_backend('BoardBackend').experiment
    except Exception as error:  # of any kind: it must not cost a training
        logger.warning('tensorboard lacks something: %s: %s', type(error).__name__, first_line(error))
