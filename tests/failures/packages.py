"""Model packages that are broken, or meant to do harm."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from typing import Any, Callable, Tuple

from demo import shapes
from tests.failures.task import PACKAGE, WEIGHTS, Change, Task, change, changes, config, content, placed

TOUCH = 'touch {root}/canary'
DARKNET = 'in/models/yolov3.weights'
ULTRALYTICS = 'in/models/best.pt'
EFFDET = 'in/models/tf_efficientdet.pth'


@change
def pretrained(task: Task, config_file: str = '') -> None:
    """The package as the one a training starts from; `config_file` names its config, to be used too."""
    files = [WEIGHTS, *([f'{PACKAGE}/{config_file}'] if config_file else [])]
    config(pretrained_model_params=[f'{{root}}/{file}' for file in files])(task)
    if config_file:
        config(config_file=config_file, cfg_options='')(task)


@change
def saved(task: Task, value: Any, name: str = WEIGHTS) -> None:
    """What torch.save makes of a value; of a function, what it returns for the task."""
    import torch

    torch.save(value(task) if callable(value) else value, str(task.path(name)))


@change
def cut_off(task: Task, name: str = WEIGHTS) -> None:
    data = task.path(name).read_bytes()
    task.write(name, data[: len(data) // 2])


@change
def darknet_weights(task: Task, size: int, name: str = DARKNET) -> None:
    """A weight file of darknet's of this size, all zeros behind its header, which takes no room on disk."""
    path = task.path(name)
    path.write_bytes(struct.pack('<3iq', 0, 2, 5, 0))
    os.truncate(path, size)


def darknet_model(size: int, config_file: str) -> Change:
    """Such a file as the model, for a config."""
    return changes(darknet_weights(size), config(model_params_path=[f'{{root}}/{DARKNET}'], config_file=config_file))


@change
def ultralytics_weights(task: Task, classes: int = 3, parts: Tuple[str, ...] = (), **others: Any) -> None:
    """A network that ultralytics saved whole, as the only file of the model; `parts`: that YOLOv5 has not."""
    import torch

    from tests.support.ultralytics import save, tiny_parameters

    parameters = {**tiny_parameters(classes), **{name: torch.ones(1) for name in parts}}
    names = [*shapes.CLASS_NAMES, *map(str, range(classes))][:classes]
    save(task.path(ULTRALYTICS), parameters, names, **{key: value(task) for key, value in others.items()})
    config(model_params_path=[f'{{root}}/{ULTRALYTICS}'], pretrained_model_params=[f'{{root}}/{ULTRALYTICS}'])(task)


@change
def effdet_weights(task: Task, size: int = 0, without: str = '') -> None:
    """What effdet calls tf_efficientdet_d0 to d4, as the only file of the model; `without` one of its parameters."""
    import torch

    from tests.support.effdet import effdet_parameters

    parameters = {name: value for name, value in effdet_parameters(size).items() if name != without}
    torch.save(parameters, str(task.path(EFFDET)))
    config(model_params_path=[f'{{root}}/{EFFDET}'], pretrained_model_params=[f'{{root}}/{EFFDET}'])(task)


@change
def torch_script(task: Task, comment: bytes = b'') -> None:
    """A program of torch's; `comment` stands behind the directory of its zip, whose size comes last."""
    import torch

    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(task.path(WEIGHTS)))
    data = task.path(WEIGHTS).read_bytes()
    task.write(WEIGHTS, data[:-2] + len(comment).to_bytes(2, 'little') + comment)


def filled_weights(value: float, every: bool = False) -> Change:
    """Sound weights with another number in the last parameter, or all parameters times it."""

    def changed(task: Task) -> Any:
        parameters = _parameters(task)
        floating = [name for name, parameter in parameters.items() if parameter.is_floating_point()]
        for name in floating if every else floating[-1:]:
            parameters[name] = parameters[name] * value
        return {'state_dict': parameters}

    return saved(changed)


def expanded_weights() -> Change:
    """One number that is said to be a tensor of a billion."""

    def one(task: Task) -> Any:
        import torch

        return {'state_dict': {**_parameters(task), 'more': torch.zeros(1).expand(10**9)}}

    return saved(one)


@change
def compressed_weights(task: Task) -> None:
    """The weights and a gigabyte of zeros, in a zip of a few megabytes."""
    path = task.path(WEIGHTS)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
        with archive.open(f'{name.partition("/")[0]}/data/more', 'w') as more:
            for _ in range(64):
                more.write(bytes(2**24))


def own_shapes() -> Change:
    """The weights without what is known of them: no class names, no name of a config."""
    return saved(lambda task: {'state_dict': _parameters(task)})


def other_names() -> Change:
    """The weights under names of one's own."""
    return saved(lambda task: {'state_dict': {f'my.{name}': value for name, value in _parameters(task).items()}})


def _parameters(task: Task) -> Any:
    import torch

    return torch.load(str(task.path(WEIGHTS)))['state_dict']


# --- meant to do harm -----------------------------------------------------------------------------------------------


class Call:
    """Pickled, a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Tuple[Any, ...]:
        return self._call


def shell(task: Task) -> Call:
    """Pickled, a shell command."""
    import os

    return Call(os.system, f'touch {task.canary}')


def through_numpy(task: Task) -> Call:
    """Pickled, Python that is run by a function of numpy's, which a reader may take for harmless."""
    from numpy.testing._private.utils import runstring

    return Call(runstring, f'open({str(task.canary)!r}, "w").close()', {})


def harmful_weights(call: Callable[[Task], Call], name: str = WEIGHTS, **more: Any) -> Change:
    """Sound weights with a call beside them."""
    return saved(lambda task: {'state_dict': _parameters(task), 'extra': call(task), **more}, name)


@change
def copies_without_end(task: Task, name: str = WEIGHTS) -> None:
    """A few hundred kilobytes that ask for terabytes: one list, copied by call after call."""
    copied = b']q\0(' + b'N' * 100_000 + b'e'
    with zipfile.ZipFile(task.path(name), 'w') as archive:
        archive.writestr('archive/data.pkl', b'(' + copied + b'ctorch\nSize\nh\0\x85R' * 10_000 + b't.')


@change
def plain_pickle(task: Task, call: Callable[[Task], Call], name: str = WEIGHTS) -> None:
    """The call as a file of pickle's own, without torch's form."""
    task.path(name).write_bytes(pickle.dumps({'state_dict': call(task)}))


def program_in_state() -> Change:
    """A state to resume from that holds its config as Python, which mmengine would run."""
    program = f'import os\nos.system({TOUCH!r})\nmodel = 1\n'
    return saved(
        lambda task: {
            'state_dict': _parameters(task),
            'optimizer': {},
            'message_hub': {},
            'meta': {'epoch': 1, 'iter': 2, 'config': placed(task, program)},
        }
    )


SHELL = {'type': 'os.system', 'command': TOUCH}
CALL = {'type': 'mmengine.call_command', 'cmd': ['touch', '{root}/canary']}
NMS = f"__import__('os').system('{TOUCH}')"
MEMCACHED = {'backend': 'memcached', 'sys_path': '{root}', 'server_list_cfg': 'x', 'client_cfg': 'x'}
EVIL = f'{{root}}/{PACKAGE}/evil.pth'
EVIL_WEIGHTS = harmful_weights(shell, f'{PACKAGE}/evil.pth')
EVIL_CONFIG = content(f'{PACKAGE}/evil.py', f'import os\nos.system("{TOUCH}")\nmodel = dict()\n')


@change
def set_in_config(task: Task, name: str, *steps: Any, value: Any) -> None:
    """A value at a place of the package's config; texts in it with {root}."""
    from executor.config.plain import config_text, read_plain_config

    file = task.path(f'{PACKAGE}/{name}')
    whole = read_plain_config(file)
    place: Any = whole
    for step in steps[:-1]:
        place = place[step]
    if steps[-1] == 'append':
        place.append(placed(task, value))
    else:
        place[steps[-1]] = placed(task, value)
    file.write_text(config_text(whole), encoding='utf-8')


@change
def with_teacher(task: Task, name: str, config_file: Any, weights: Any) -> None:
    """The package's detector as the pupil of another, of the same config where none is named."""
    from executor.config.plain import read_plain_config

    model = read_plain_config(task.path(f'{PACKAGE}/{name}'))['model']
    pupil = {
        **model,
        'type': 'KnowledgeDistillationSingleStageDetector',
        'teacher_config': config_file or {'model': model},
        'teacher_ckpt': weights,
    }
    set_in_config(name, 'model', value=pupil)(task)
