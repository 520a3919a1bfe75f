"""A task folder under test: what was written into it, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from demo.task_folder import write_config
from desk.task_folder import make_folders, write_env, write_text
from executor.contract.config_yaml import read_job
from executor.contract.env import Env, read_env
from executor.contract.params import Job


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def line_of(path: Path, start: str) -> int:
    """The number, from 1, of the one line that begins with `start`, blanks before it aside."""
    lines = path.read_text(encoding='utf-8').split('\n')
    (number,) = [number for number, line in enumerate(lines, start=1) if line.strip().startswith(start)]
    return number


class TaskFolder:
    """The same for one folder, for tests: `read_env` and `read_job` of what was written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        make_folders(root)

    @property
    def models_dir(self) -> Path:
        return self.root / 'out' / 'models'

    @property
    def monitor_file(self) -> Path:
        return self.root / 'out' / 'monitor.txt'

    @property
    def config_file(self) -> Path:
        return self.root / 'in' / 'config.yaml'

    def env(self, *tasks: str, protocol: Any = '1.1.0', task_id: str = 'task-1') -> Env:
        """env.yaml that asks for `tasks` ('training', 'mining', 'infer'; training where none is named), read."""
        flags = {task: task in (tasks or ('training',)) for task in ('training', 'mining', 'infer')}
        return read_env(write_env(self.root, protocol=protocol, task_id=task_id, **flags))

    def job(self, *tasks: str, **config: Any) -> Job:
        """The same with a config.yaml of `config`, read."""
        write_config(self.root, **config)
        return read_job(self.env(*tasks))

    def write(self, name: str, text: str) -> Path:
        """A file of any content below the root."""
        return write_text(self.root / name, text)
