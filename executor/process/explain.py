"""Explain failures of torch and of the machine as errors of ours, where there is something to tell."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from executor.contract.errors import ExecutorError, GpuMemoryError, OutOfMemoryError, OutputError, ParameterError
from executor.contract.output.files import is_full
from executor.contract.shown import first_line
from executor.machine.limits import limit_reached
from executor.machine.memory import is_loader_death, is_out_of_gpu_memory, is_out_of_memory

if TYPE_CHECKING:  # the entry explains as well that the job cannot be read
    from executor.contract.params import Job

_MORE_SHARED_MEMORY = 'raise shm_size (docker run --shm-size) or set workers_per_gpu lower'
_ROOM = 2**26  # bytes, more than any one file of a task


def explained(error: BaseException, job: Optional[Job] = None) -> BaseException:
    """Return an error that tells the user what to do, with the traceback of the one that was raised.

    An error of ours gets its place in config.yaml, once there is a job; one of which nothing is known stays what it is.
    """
    try:
        ours = limit_reached(error) or _explanation(error, job)
    except Exception:  # also an error may be wrong, and a disk be gone
        ours = None
    return error if ours is None else ours.with_traceback(error.__traceback__)


def _explanation(error: BaseException, job: Optional[Job]) -> Optional[ExecutorError]:
    if job is not None and isinstance(error, ParameterError):
        return job.placed(error)
    if job is not None and isinstance(error, OSError):
        output = job.env.output
        if is_full(error):
            return _full(error, output.root_dir)
        # Below is what nobody has looked at yet: a folder in the way of a file, a file in that of a folder.
        place = Path(str(error.filename2 or error.filename or ''))
        if {output.root_dir, output.models_dir, output.tensorboard_dir}.intersection((place, *place.parents)):
            from executor.contract.output.writable import unwritable  # reads YAML, which the entry may lack

            return unwritable(place, error)
    if isinstance(error, ExecutorError) and str(error).startswith('Caught '):
        # A loading worker raised it; torch put the worker's whole traceback into the message. Its last line is ours.
        return type(error)(str(error).rstrip().splitlines()[-1].partition(': ')[2])
    if isinstance(error, ImportError):
        return ExecutorError(
            f'a part of the image cannot be loaded ({first_line(error)}): pull or build the image again'
        )
    if is_out_of_gpu_memory(error):
        return GpuMemoryError(f'out of GPU memory: set samples_per_gpu lower ({first_line(error)})')
    if is_loader_death(error):
        problem = 'a data-loading worker died: /dev/shm or the memory is too small'
        return OutOfMemoryError(f'{problem}: {_MORE_SHARED_MEMORY} ({first_line(error)})')
    if is_out_of_memory(error):
        return OutOfMemoryError(f'out of memory: set samples_per_gpu or workers_per_gpu lower ({first_line(error)})')
    return None


def _full(error: OSError, root: Path) -> ExecutorError:
    """Tell which of the two that can be full it is, also where the error names no file."""
    name = str(error.filename or '')
    if name.startswith('/dev/shm') or (not name and shutil.disk_usage(str(root)).free > _ROOM):
        return OutOfMemoryError(f'/dev/shm is full: {_MORE_SHARED_MEMORY} ({first_line(error)})')
    return OutputError(
        f'{root} is full ({first_line(error)}): free some space there, or set max_keep_checkpoints lower, and start '
        'the task again; stages saved before stay valid'
    )
