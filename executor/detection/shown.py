"""Make what people look at behind the results, in the folder that the platform keeps; none of it can fail a task."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable

from executor.contract.env import Env
from executor.contract.output.files import remove_file
from executor.contract.shown import first_line
from executor.report.board import Board

logger = logging.getLogger(__name__)


def show(env: Env, name: str, make: Callable[[Path, Board], None]) -> None:
    """Make the page `<name>.html` of a task, and what TensorBoard shows of it, in place of an earlier run's."""
    started, folder = time.monotonic(), env.output.tensorboard_dir
    page, board_folder = folder / f'{name}.html', folder / name
    remove_shown(page)
    if not board_folder.is_symlink():
        for file in board_folder.glob('events.out.tfevents.*'):
            remove_shown(file)
    try:
        with Board(board_folder) as board:
            make(page, board)
    except Exception as error:  # it is an extra: whatever goes wrong in it must not cost a task whose result is there
        logger.warning('%s could not be made: %s: %s', page.name, type(error).__name__, first_line(error))
    else:
        logger.info('page: %s; for TensorBoard: %s (%.1f s)', page, board_folder, time.monotonic() - started)


def remove_shown(file: Path) -> None:
    """Remove what an earlier run showed; there may be none, and what cannot be removed does no harm."""
    with suppress(OSError):
        remove_file(file)
