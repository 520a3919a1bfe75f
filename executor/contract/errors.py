"""Define the errors that a task can end with, each with the code that the platform shows to its user."""

from __future__ import annotations

from typing import Tuple, Type


class ExecutorError(Exception):
    """A failure whose message is one sentence: what is wrong, the value found, what is allowed, what to do."""

    code = 160004


class ConfigError(ExecutorError):
    """env.yaml, config.yaml or one of its parameters cannot be used."""

    code = 300001


class ParameterError(ConfigError):
    """A parameter of config.yaml that proves wrong far from that file; `Job.placed` adds the line where it stands.

    `key` is the name of the parameter, with which the message begins.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key

    def __reduce__(self) -> Tuple[Type[ParameterError], Tuple[str, str]]:
        return ParameterError, (self.key, str(self))


class DatasetError(ExecutorError):
    """An index, an annotation or an image that an index lists is missing or malformed."""

    code = 300002


class ImageError(ExecutorError):
    """An image cannot be decoded."""

    code = 300003


class ModelError(ExecutorError):
    """A weight file or the config of a model package is missing or does not fit."""

    code = 300004


class GpuMismatchError(ExecutorError):
    """The GPU is there, but this build of torch cannot use it."""

    code = 300101


class NoGpuError(ExecutorError):
    """`gpu_id` names a GPU that the container does not see."""

    code = 300102


class OutOfMemoryError(ExecutorError):
    """Memory, of the GPU or of the machine, is too small."""

    code = 300103


class GpuMemoryError(OutOfMemoryError):
    """The GPU's memory is too small for the batch, and a smaller batch may help."""


class OutputError(ExecutorError):
    """A result of the task cannot be written."""


class NonFiniteLossError(ExecutorError):
    """A loss became NaN or infinite."""

    code = 300201
