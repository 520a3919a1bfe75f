"""Simulate active learning on a labelled task: all steps one after the other, and the page of what came out."""

from __future__ import annotations

import hashlib
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from desk.check import ENV_FILE
from desk.progress import Bar
from desk.settings import MADE, parsed_settings
from desk.simulate.cost import Costs
from desk.simulate.plan import DIVERSITY, TRAINING, is_algorithm, plan
from desk.simulate.pool import Pool, read_pool
from desk.simulate.record import open_record
from desk.simulate.steps import STOPPED, StepFailed, Steps
from desk.simulate.work import Work
from desk.tables import aligned
from desk.usage import UsageError, check_folder
from executor.config.find import check_config_file
from executor.contract.config_yaml import key_parsers, read_job
from executor.contract.env import Env, read_env
from executor.contract.index import read_training_index
from executor.contract.inputs import check_inputs
from executor.contract.output.sole_use import claim
from executor.contract.params import TrainParams
from executor.contract.shown import clipped, listed
from executor.contract.yaml_file import read_yaml_mapping
from executor.report.simulation import MEASURES, Simulation, summary_table, table, verdict
from executor.report.simulation_page import write_simulation
from mining.catalog import ALGORITHMS

FOLDER = 'simulation'  # of a task
PAGE, NUMBERS = 'simulation.html', 'simulation.json'
_WORK = 'work'  # where steps have their folders
_PARTS = 10  # of the pool, one of which is labelled at a time


@dataclass(frozen=True)
class Options:
    """The arguments of `simulate`, see its --help; None where one is not given."""

    task: Path
    algorithms: Sequence[str]
    rounds: int
    seeds: int
    images: Optional[int] = None
    diversity: bool = False
    out: Optional[Path] = None
    settings: Sequence[str] = ()


def simulate(options: Options, bar: Bar, tell: Callable[[str], None] = print) -> Tuple[int, str]:
    """Run the steps that are not done yet; returns the exit status and what to tell at the end.

    Raises:
        UsageError: the arguments do not fit, or not to what is in the folder already.
        ExecutorError: the task cannot be used, or its folder is in use.
    """
    algorithms = _algorithms(options)
    out = (options.out or options.task / FOLDER).absolute()
    check_folder(out)
    task = options.task.resolve()
    os.chdir(str(task))  # where paths of a task that `make` made begin
    env, config, params = _read_task(options.task, options.settings)
    training, validation = env.input.training_index_file, env.input.val_index_file
    assert training is not None and validation is not None, 'they are checked'
    pool = read_pool(training, params, bar)
    count, to_validate = _step_size(options, len(pool)), len(read_training_index(validation))
    claim(out)
    record = open_record(out, _settings(env, config, count))
    steps = plan(algorithms, options.rounds, options.seeds)
    work = Work(Steps(out / _WORK, env, config, pool, count), record, steps)
    tell(_told_before(options, pool, to_validate, work))

    def write() -> Simulation:
        found = Simulation(
            title=task.name,
            runs={name: [work.run(name, seed + 1) for seed in range(options.seeds)] for name in algorithms},
            rounds=options.rounds,
            pool=pool.found(range(len(pool)), 0),
            rare_classes=[params.class_names[label] for label in pool.rare],
            validation_images=to_validate,
            settings={'images labelled at a time': count, **config},
        )
        if found.trained:
            write_simulation(found, out / PAGE, out / NUMBERS)
        return found

    status, stopped = 0, ''
    try:
        work.do(Costs(params, count, len(pool), to_validate), bar, write)
    except StepFailed as failed:
        status = failed.status
        stopped = f'{failed}\nthe same command goes on here, once what this tells of is mended'
        if status in STOPPED:
            stopped = 'stopped: the same command goes on here'
    except KeyboardInterrupt:
        status, stopped = 128 + signal.SIGINT, 'stopped: the same command goes on here'
    return status, '\n'.join([*_told(write(), out), *([stopped] if stopped else [])])


def _algorithms(options: Options) -> List[str]:
    """Return the algorithms in their order, with diversity where that is wanted of all."""
    names = [name for given in options.algorithms for name in given.split(',') if name]
    for name in names:
        if not is_algorithm(name):
            known = ', '.join(ALGORITHMS)
            raise UsageError(
                f'--algorithms {clipped(name)}: no algorithm is called so: use {known}, or one with {DIVERSITY}'
            )
    if options.diversity:
        names += [f'{name}{DIVERSITY}' for name in names if not name.endswith(DIVERSITY)]
    if not names:
        raise UsageError(f'--algorithms must name one at least: {", ".join(ALGORITHMS)}')
    for key in ('rounds', 'seeds'):
        if getattr(options, key) < 1:
            raise UsageError(f'--{key} must be at least 1, found {getattr(options, key)}')
    return list(dict.fromkeys(names))


def _read_task(folder: Path, given: Sequence[str]) -> Tuple[Env, Dict[str, object], TrainParams]:
    """Read the task in the working directory, which is `folder`: its settings with those of --set.

    Raises:
        UsageError: it is none that is trained and validated, or a setting is not one that it may have.
        ExecutorError: what it says of itself cannot be used.
    """
    env = read_env(ENV_FILE)
    if not env.run_training or env.input.val_index_file is None:
        raise UsageError(f'{folder} has no labels to hide: name a task that was made with --task training')
    for key in (item.partition('=')[0] for item in given):
        if key in MADE:
            raise UsageError(f'--set {key}: it is that of the task, {folder}')
    settings = parsed_settings(given, 'training')
    job = read_job(env)
    check_config_file(job)
    check_inputs(job)
    assert job.training is not None, 'env.yaml says so'
    parsers, usual = key_parsers(TrainParams), TrainParams(class_names=(), gpu_ids=(), model_files=())
    changed: Dict[str, Any] = {
        key: parsers[key](text) if text.strip() else getattr(usual, key) for key, text in settings.items()
    }
    params = replace(job.training, **changed)
    for flag, is_set in (('--resume', params.args_options.resume), ('--no-validate', params.args_options.no_validate)):
        if is_set:
            raise UsageError(f'args_options {flag} has no meaning here: say --set args_options= without it')
    values = read_yaml_mapping(env.input.config_file).values
    return env, {**{str(key): value for key, value in values.items()}, **settings}, params


def _step_size(options: Options, pool: int) -> int:
    """Return how many images are labelled at a time."""
    count = options.images if options.images is not None else pool // _PARTS
    if count < 1:
        raise UsageError(
            f'--images must be at least 1, found {count}'
            if options.images is not None
            else f'the task has {pool} images to train on, too few to hide some: name one with {_PARTS} or more'
        )
    needed = count * (options.rounds + 1)
    if needed >= pool:
        most = (pool - 1) // (options.rounds + 1)
        remedy = f'say --images {most} or less, or fewer --rounds' if most else 'say fewer --rounds'
        raise UsageError(
            f'{options.rounds} rounds of {count} images after the first {count} are {needed}, but the task has {pool} '
            f'to choose from: {remedy}'
        )
    return count


def _settings(env: Env, config: Mapping[str, object], count: int) -> Dict[str, object]:
    """List all that a step depends on."""
    files = {'training images': env.input.training_index_file, 'validation images': env.input.val_index_file}
    indexes = {name: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for name, file in files.items() if file}
    # As text: --set max_epochs=20 is what a file has as a number.
    given = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in config.items()}
    return {'--images': count, **indexes, **{key: text for key, text in given.items() if text not in ('', 'None')}}


def _told_before(options: Options, pool: Pool, validation: int, work: Work) -> str:
    left, trainings = work.left(), [step for step in work.steps if step.kind == TRAINING]
    count = work.runner.count
    lines = [
        f'{len(pool)} labelled images, {pool.boxes.sum()} boxes; {validation} images to validate with',
        f'{len(trainings)} trainings, on {count} to {count * (options.rounds + 1)} images, and '
        f'{len(work.steps) - len(trainings)} minings: {_times(options.seeds, "seed")}, '
        f'{_times(options.rounds, "round")} of {count} images',
    ]
    done = len(work.steps) - len(left)
    return '\n'.join([*lines, *([f'{done} of these {len(work.steps)} are done already'] if done else [])])


def _times(count: int, what: str) -> str:
    return f'{count} {what}{"s" if count > 1 else ""}'


def _told(simulation: Simulation, out: Path) -> List[str]:
    """Write the tables for a terminal, and the sentence."""
    if not simulation.trained:
        return []
    lines = []
    for measure in MEASURES:
        lines += [f'{measure.words}, mean over seeds (lowest to highest):', aligned(table(simulation, measure))]
    if simulation.trained == simulation.trainings:
        lines += ['AP50 on average over the rounds:', aligned(summary_table(simulation))]
    return [
        *lines,
        f'rare classes: {listed(simulation.rare_classes, 10)}',
        f'page: {out / PAGE}',
        f'numbers: {out / NUMBERS}',
        verdict(simulation),
    ]
