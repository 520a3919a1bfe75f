"""Check that a task's results can be written, before hours are spent on them."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Sequence, Tuple

from executor.contract.env import Env
from executor.contract.errors import OutputError
from executor.contract.output.files import is_full


def check_writable(env: Env) -> None:
    """Make the folders of the task's results, and try to write a byte into each.

    Raises:
        OutputError: with the folder or file that is in the way, or cannot be written.
    """
    folders, files = _results(env)
    # Where monitor.txt is a mount of its own, its folder may be anybody's.
    beside = (file.parent for file in files if file != env.output.monitor_file or not os.access(file, os.W_OK))
    for folder in dict.fromkeys((*folders, *beside)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=str(folder)) as stream:
                stream.write(b'\0')
        except OSError as error:
            raise unwritable(folder, error)
    for file in files:
        try:
            if stat.S_ISDIR(file.stat().st_mode):
                raise unwritable(file, IsADirectoryError())
        except FileNotFoundError:
            continue
        except OSError as error:  # such as a name that no file can have
            raise unwritable(file, error)


def _results(env: Env) -> Tuple[Sequence[Path], Sequence[Path]]:
    """List the folders and the files that the task writes."""
    output = env.output
    if env.run_training:
        folders = (output.root_dir, output.models_dir, output.tensorboard_dir)
        return folders, (output.monitor_file, output.training_result_file)
    results = [output.mining_result_file] * env.run_mining + [output.infer_result_file] * env.run_infer
    return (output.root_dir,), [output.monitor_file, *results]


def unwritable(path: Path, error: OSError) -> OutputError:
    """Make the error for a result that cannot be written."""
    if is_full(error):
        remedy = 'free some space there, and start the task again'
        return OutputError(f'{path} cannot be written, the disk is full: {remedy}')
    if isinstance(error, IsADirectoryError):
        return OutputError(f'{path} is a folder, but the task writes a file there: remove it, or rename it')
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        blocking = next((place for place in (path, *path.parents) if place.exists() and not place.is_dir()), path)
        return OutputError(f'{blocking} is a file, but the task writes a folder there: remove it, or rename it')
    return OutputError(
        f'{path} cannot be written ({error.strerror}): mount a folder there that user {os.getuid()} may write '
        '(docker run -v FOLDER:/out)'
    )
