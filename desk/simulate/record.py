"""Keep what the finished steps of a simulation have found, so that the same command goes on after a stop."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Mapping

from desk.simulate.plan import Step
from desk.usage import UsageError
from executor.contract.output.files import replace_file
from executor.contract.shown import clipped

RECORD = 'steps.jsonl'

Found = Mapping[str, Any]  # of a training {'ap_50': ...}, of a mining {'chosen': [...]}, with their seconds


@dataclass
class Record:
    """A file with a line of settings, and one for each finished step.

    Settings are those that a step depends on. How many rounds and seeds there are, and which algorithms, is none of
    them: more of these are added to what is there.
    """

    file: Path
    settings: Dict[str, object]
    found: Dict[str, Found] = field(default_factory=dict)  # by the name of the step

    def add(self, step: Step, found: Found) -> None:
        """Note a step that is finished."""
        self.found[step.name] = found
        self.save()

    def drop(self, step: Step) -> None:
        """Forget a step that is to be done again."""
        del self.found[step.name]
        self.save()

    def save(self) -> None:
        lines = [{'settings': self.settings}, *({'step': name, **of} for name, of in self.found.items())]
        replace_file(self.file, ''.join(f'{json.dumps(line, ensure_ascii=False)}\n' for line in lines))


def open_record(folder: Path, settings: Dict[str, object]) -> Record:
    """Read what is known of a simulation in a folder, or begin a record where there is none.

    Raises:
        UsageError: the one that is there has other settings, or its file cannot be used.
    """
    file = folder / RECORD
    record = Record(file, settings)
    if not file.is_file():
        record.save()  # before any step: what one that is stopped leaves is gone on with
        return record
    try:
        first, *steps = (json.loads(line) for line in file.read_text(encoding='utf-8').splitlines())
        began = first['settings']
        record.found = {step.pop('step'): step for step in steps}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UsageError(f'{file} is not what a simulation writes: say --out with another folder')
    changed = [key for key in sorted({*began, *settings}) if began.get(key) != settings.get(key)]
    if changed:
        told = '; '.join(f'{key} {_told(began, key)}, not {_told(settings, key)}' for key in changed[:5])
        raise UsageError(
            f'{folder} holds a simulation with {told}: repeat its command to go on with it, remove it, or say --out '
            'with another folder'
        )
    return record


def _told(settings: Mapping[str, object], key: str) -> str:
    return clipped(str(settings.get(key, 'empty')))
