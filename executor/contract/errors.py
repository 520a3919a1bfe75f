"""Define the errors that a task can end with, each with the code that the platform shows to its user."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, List, Optional, Tuple, Type


class ExecutorError(Exception):
    """A failure whose message is one sentence: what is wrong, the value found, what is allowed, what to do."""

    code = 160004


class ConfigError(ExecutorError):
    code = 300001  # env.yaml, config.yaml or one of its parameters cannot be used


class ParameterError(ConfigError):
    """A parameter that is found wrong after config.yaml was read; `Job.placed` adds the line that sets `key`."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key

    def __reduce__(self) -> Tuple[Type[ParameterError], Tuple[str, str]]:
        return ParameterError, (self.key, str(self))


class DatasetError(ExecutorError):
    code = 300002  # an index, an annotation or an image that an index lists is missing or malformed


class ImageError(ExecutorError):
    code = 300003  # an image cannot be decoded


class ModelError(ExecutorError):
    code = 300004  # a weight file or the config of a model package is missing or does not fit


class GpuMismatchError(ExecutorError):
    code = 300101  # the GPU is there, but this build of torch cannot use it


class NoGpuError(ExecutorError):
    code = 300102  # `gpu_id` names a GPU that the container does not see


class OutOfMemoryError(ExecutorError):
    code = 300103  # memory, of the GPU or of the machine, is too small


class GpuMemoryError(OutOfMemoryError):
    """The GPU's memory is too small for the batch, and a smaller batch may help."""


class ValidationMemoryError(GpuMemoryError):
    """The same in a validation: its epoch is saved, and its batch is no part of what is trained."""


class OutputError(ExecutorError):
    """A result of the task cannot be written."""


class InUseError(OutputError):
    """The folder of the results belongs to another task that runs: not even monitor.txt may be written there."""


class NonFiniteLossError(ExecutorError):
    code = 300201  # a loss became NaN or infinite


@contextmanager
def noting(problems: Optional[List[ExecutorError]]) -> Iterator[None]:
    """Let the first failure end what is done; with a list, note it there and go on behind the block."""
    try:
        yield
    except ExecutorError as error:
        if problems is None:
            raise
        problems.append(error)
