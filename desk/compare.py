"""Compare models, or the reports of models, side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Mapping, Optional, Sequence, Tuple

from desk.class_list import class_list
from desk.evaluate import model_report
from desk.models import Model, find_model, model_settings
from desk.progress import Bar
from desk.reports import read_report
from desk.tables import aligned
from desk.usage import UsageError, check_folder
from desk.validate import ValidationSet, open_task, validate
from executor.contract.shown import clipped, listed
from executor.evaluation.changes import Change, shown_errors
from executor.report.comparison import Compared, Comparison, Row, Seen, Table, compare_models
from executor.report.comparison_page import write_comparison
from executor.report.model_report import report_numbers
from executor.report.page import Numbers

PAGE, COMPARISON = 'compare.html', 'compare.json'
FOLDER = 'comparison'
_MOST_ROWS = 30  # of a table on a terminal
_MOST_IMAGES = 5
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Options:
    """The arguments of `compare`, see its --help; None where one is not given."""

    models: Sequence[Path]
    task: Optional[Path] = None
    out: Optional[Path] = None
    settings: Sequence[str] = ()
    classes: Optional[str] = None


def compare(options: Options, bar: Bar) -> str:
    """Compare and write the page; returns what to tell.

    Raises:
        UsageError: the arguments do not fit.
        ExecutorError: a model or the task cannot be used.
    """
    if len(options.models) < 2:
        raise UsageError('one model alone cannot be compared: name two or more')
    out = (options.out or (options.task or Path()) / FOLDER).absolute()
    check_folder(out)
    class_names: Sequence[str] = ()
    if options.task is None:
        if options.settings or options.classes:
            raise UsageError('--set and --classes are for models that are evaluated: say --on TASK, or leave them out')
        models = [read_report(place) for place in options.models]
    else:
        settings, names = model_settings(options.settings), class_list(options.classes) if options.classes else None
        found = [_model(place, settings, names) for place in options.models]
        task = options.task.resolve()
        data = open_task(task)
        class_names = data.class_names
        models = [_evaluated(model, data, task, bar) for model in found]
    comparison = compare_models(_with_own_names(models))
    out.mkdir(parents=True, exist_ok=True)
    write_comparison(comparison, class_names, out / PAGE, out / COMPARISON)
    return '\n'.join([*_told(comparison), f'page: {out / PAGE}', f'numbers: {out / COMPARISON}'])


def _model(place: Path, settings: Mapping[str, object], class_names: Optional[Tuple[str, ...]]) -> Model:
    if place.suffix == '.json':
        raise UsageError(
            f'{place} holds numbers alone, nothing to evaluate on a task: name its model, or leave --on out'
        )
    return find_model(place, settings, class_names)


def _evaluated(model: Model, data: ValidationSet, task: Path, bar: Bar) -> Compared:
    """Evaluate a model, and keep its numbers and its errors, not all of its predictions."""
    validated = validate(model, data, bar)
    report = model_report(model, data, validated, task)
    best, analysed = report.analysis.threshold, len(report.paths)
    some = [f'of {analysed} images alone it is known which are better, so that memory suffices']
    return Compared(
        name=model.name,
        source=', '.join(map(str, model.params.model_files)),
        numbers=report_numbers(report),
        seen=Seen(shown_errors(report.analysis.matches, best), report.paths),
        notes=[*validated.notes, *(some if analysed < report.images else [])],
    )


def _with_own_names(models: Sequence[Compared]) -> Sequence[Compared]:
    """Tell models of one name apart by a number, and note where they were measured on different images."""
    named: List[Compared] = []
    for model in models:
        earlier = sum(other.name == model.name for other in models[: len(named)])
        name = f'{model.name} ({earlier + 1})' if earlier else model.name
        first, own = (_measured_on(one.numbers) for one in (models[0], model))
        notes = [] if own == first else [f'measured on {own}, and the first on {first}: these are other images']
        named.append(replace(model, name=name, notes=[*model.notes, *notes]))
    return named


def _measured_on(numbers: Numbers) -> str:
    return f'{numbers["images"]} images with {sum(row["true_boxes"] for row in numbers["classes"])} true boxes'


def _told(comparison: Comparison) -> List[str]:
    """Write the comparison for a terminal."""
    models = comparison.models
    lines = []
    for model in models:
        lines += [
            f'{_plain(model.name)}: {_measured_on(model.numbers)}',
            *(f'  note: {_plain(n, 400)}' for n in model.notes),
        ]
    for model, same in zip(models[1:], comparison.same):
        if same:
            lines.append(f'{_plain(model.name)}: no difference from {_plain(models[0].name)}')
    if all(comparison.same):
        return lines
    for table in comparison.tables:
        lines += [f'{table.title}:', _text(table, [model.name for model in models])]
    for model, changes in zip(models[1:], comparison.changes):
        if changes is None:
            lines.append('images are not compared: reports hold no boxes; say --on TASK to evaluate the models on it')
            break
        for kind, of in vars(changes).items():
            lines.append(
                f'{_plain(model.name)}: {len(of)} image{"" if len(of) == 1 else "s"} {kind}{_most(models[0], of)}'
            )
    return lines


def _text(table: Table, names: Sequence[str]) -> str:
    """Write a table, each model after the first with its change from it; at most thirty rows."""
    rows = [['', *map(_plain, names)]]
    rows += [
        [_plain(row.name), *(_cell(row, number) for number in range(len(names)))] for row in table.rows[:_MOST_ROWS]
    ]
    left = len(table.rows) - _MOST_ROWS
    return aligned(rows) + (f'\nand {left} more, see the page' if left > 0 else '')


def _cell(row: Row, number: int) -> str:
    value, change = row.values[number], row.change(number)
    return ('-' if value is None else f'{value:.4f}') + (f' ({change:+.4f})' if change else '')


def _most(first: Compared, changes: Sequence[Change]) -> str:
    """Name the images that changed most, with the errors of both models."""
    assert first.seen is not None, 'images are compared'
    names = [
        f'{_plain(Path(first.seen.paths[one.first]).name)} {one.errors_first} to {one.errors_second}' for one in changes
    ]
    return f', by errors: {listed(names, _MOST_IMAGES)}' if names else ''


def _plain(text: str, most: int = _LONGEST_NAME) -> str:
    """Write a text from a file so that a terminal shows it as text."""
    return clipped(''.join(one if one.isprintable() else '\ufffd' for one in text), most)
