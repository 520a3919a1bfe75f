"""The family of errors a task can end with, each with the code the platform shows to its user."""


class ExecutorError(Exception):
    """A failure told in one sentence: what is wrong, the value found, what is allowed, what to do."""

    code = 160004


class ConfigError(ExecutorError):
    """env.yaml, config.yaml or one of its parameters cannot be used."""

    code = 300001


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
    """The GPU's memory is too small for the batch."""

    code = 300103


class GpuMemoryError(OutOfMemoryError):
    """The same, where a smaller batch may help."""


class NonFiniteLossError(ExecutorError):
    """A loss became NaN or infinite."""

    code = 300201
