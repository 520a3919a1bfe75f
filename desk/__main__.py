"""Make, check and run tasks without the platform, evaluate and compare models, simulate what mining brings."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

from desk.layouts import LAYOUTS
from desk.settings import TASKS
from desk.usage import UsageError
from executor.contract.errors import ExecutorError
from executor.log import quiet
from executor.machine.environment import environment

_OVERVIEW = """\
A task is a folder with in/ and out/. Three commands take you from a dataset to a model, or to boxes:

  {program} make --from voc my-data --out task --set max_epochs=20
  {program} check task
  {program} run task

Two more measure any model on the validation set of a task, and show what is better in one than in another:

  {program} evaluate weights.pth --on task
  {program} compare task other-task --on task

A last one tries algorithms of mining on a task that has labels, to see which is worth its time on such images:

  {program} simulate task

`{program} make --help` says which layouts it reads. In the image the command is `task`, and works in the folder that
is mounted at /work:  docker run --rm -v "$PWD":/work ymir-mmdet:0.1.0 task make ...

exit status: 0 done; 1 something is wrong with the data, the model or the task; 2 the command was called wrongly"""

_MAKE = """\
layouts, by --from:
  coco    json files, or a folder that holds them (annotations/instances_*.json, train/_annotations.coco.json). Images
          are looked for beside the file, in images/, and in a folder called as the file (train2017); else say --images.
          Two files, one with val in its name, are training and validation.
  voc     a folder with Annotations/*.xml and JPEGImages/ (or VOCdevkit around it), or xml beside the images.
          ImageSets/Main/train.txt and val.txt are kept as the split; corners are inclusive, difficult objects ignored.
  yolo    data.yaml with train, val and names, or the folder that holds it; labels/ beside images/. Polygons become the
          boxes around them. Without data.yaml: a folder with classes.txt.
  csv     a table, a row a box, with a header that has
            image (or filename, file_name, file, path, image_path), class (class_name, label, name, category),
            xmin (x_min, x1, left), ymin (y_min, y1, top), xmax (x_max, x2, right), ymax (y_max, y2, bottom);
          or without a header image,xmin,ymin,xmax,ymax,class. Pixels; xmax - xmin is the width. A row with an image
          alone has no objects. Two tables, one with val in its name, are training and validation.
  images  folders of images, with all below them: for --task infer and mining.

The dataset's own split is kept where it has one. Else --val divides the images so that every class is in both parts.
Nothing of the dataset is changed: its images get a second name in the task (a hard link), or are copied where that
cannot be. Settings are the keys of the templates (docs/parameters.md), with the template's defaults.

examples:
  {program} make --from voc BCCD --out task --set max_epochs=20 config_file=configs/yolox/yolox_nano_8x8_300e_coco.py
  {program} make --from images photos --out find --task infer --weights task
  {program} make --from images photos --out mine --task mining --set mining_algorithm=entropy --weights task"""

_CHECK = """\
Everything that start.py would complain of, all at once: env.yaml, config.yaml, indexes, annotations, images (each is
decoded), the detector and its weights. Counts what the task holds, and writes check.jpg, sixteen images with their
boxes, into the folder."""

_RUN = """\
Runs start.py on the folder, shows how far it is, and tells at the end what came out. The log goes to
out/ymir-executor-out.log. Ctrl-C stops the task; what was saved stays."""

_EVALUATE = """\
The numbers and the page that a training gives its best model, for any model that inference takes. It goes the way of
the training's own validation: a stage gets the numbers that its training gave it. Classes are matched by their names;
it computes where the task does (gpu_id in its config.yaml).

MODEL is a task that has been run, whose best stage it is; the folder of a stage; or weights. The config comes with a
stage; of bare weights it is the one whose name theirs begins with, or --set config_file=..."""

_COMPARE = """\
Numbers of two models or more, each beside the first, over all and by class. With --on TASK they are evaluated on its
validation set, each as by `evaluate`, and images that got better or worse are shown, by the errors at each model's best
score. Without it they are reports: report.json, or a task that has been trained, which holds one."""

_SIMULATE = """\
Plays active learning on a task that is labelled: hides the labels of its training images, begins with a few of them,
trains, mines the rest, "labels" the images of the highest scores, and trains again. It shows AP50 on the task's
validation images, boxes and boxes of rare classes found and scenes covered against the images that were labelled, by
algorithm and with the spread over seeds: in tables, simulation.html and simulation.json.

With S seeds, A algorithms and R rounds these are S x (1 + A x R) trainings, one after the other: 34 where nothing is
said. All algorithms of a seed begin with the same images and the same first training. Each training starts from the
weights that the task names, with the settings of its config.yaml and --set; mining has the defaults of its template.
A few dozen images need few epochs; validating them rarely, as by val_interval=10, saves time.

It may be stopped at any time: the same command goes on, also in the middle of a training. More --rounds, --seeds and
--algorithms add to what is there. Nothing of the task's in/ and out/ is changed.

examples:
  {program} simulate task --algorithms entropy random --set max_epochs=20 val_interval=10
  {program} simulate task --algorithms entropy aldd+diversity random --seeds 3"""


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run a command; returns the exit status."""
    from desk.make import program_name

    program = program_name()
    arguments = _parser(program).parse_args(argv)
    logging.basicConfig(stream=sys.stdout, level=logging.ERROR, format='note: %(message)s')
    logging.getLogger('executor').setLevel(logging.WARNING)
    try:
        status: int = arguments.call(arguments, program)
        return status
    except (UsageError, ExecutorError) as error:
        told, status = str(error), 2 if isinstance(error, UsageError) else 1
    except OSError as error:  # a disk that is full, a folder that may not be written
        told, status = f'{error.filename or "the task"} cannot be written or read ({error.strerror or error})', 1
    print(f'{program} {arguments.command}: {told}', file=sys.stderr)
    return status


def _make(arguments: argparse.Namespace, program: str) -> int:
    from desk.make import Options, make

    names = Options.__dataclass_fields__
    print(make(Options(**{name: getattr(arguments, name) for name in names}), program))
    return 0


def _check(arguments: argparse.Namespace, program: str) -> int:
    from desk.check import check_task, report
    from desk.progress import Bar

    found = check_task(_task_folder(arguments.task), Bar())
    print(report(found))
    return 1 if found.problems else 0


def _run(arguments: argparse.Namespace, program: str) -> int:
    from desk.progress import Bar
    from desk.run import run_task

    status, told = run_task(_task_folder(arguments.task), Bar())
    print(told)
    return status


def _evaluate(arguments: argparse.Namespace, program: str) -> int:
    from desk.progress import Bar

    with _importing_mmdet():
        from desk.evaluate import Options, evaluate

    _task_folder(arguments.task)
    names = Options.__dataclass_fields__
    print(evaluate(Options(**{name: getattr(arguments, name) for name in names}), Bar()))
    return 0


def _compare(arguments: argparse.Namespace, program: str) -> int:
    from desk.progress import Bar

    with _importing_mmdet():
        from desk.compare import Options, compare

    if arguments.task is not None:
        _task_folder(arguments.task)
    names = Options.__dataclass_fields__
    print(compare(Options(**{name: getattr(arguments, name) for name in names}), Bar()))
    return 0


@contextlib.contextmanager
def _importing_mmdet() -> Iterator[None]:
    """Keep what is imported in the block from printing, and from starting CUDA.

    mmengine asks torch for GPUs, before the task's is chosen: CUDA would then see all of them.
    """
    with quiet(), environment(PYTORCH_NVML_BASED_CUDA_CHECK='1'):
        yield


def _simulate(arguments: argparse.Namespace, program: str) -> int:
    from desk.progress import Bar
    from desk.simulate.simulate import Options, simulate

    _task_folder(arguments.task)
    names = Options.__dataclass_fields__
    options = Options(**{name: getattr(arguments, name) for name in names})
    status, told = simulate(options, Bar())
    print(told)
    return status


def _task_folder(folder: Path) -> Path:
    if not (folder / 'in' / 'env.yaml').is_file():
        raise UsageError(f'{folder} is no task folder, which has in/env.yaml: make one, or name another')
    return folder


def _parser(program: str) -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog=program, description=__doc__, epilog=_OVERVIEW.format(program=program), formatter_class=form
    )
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)

    make = commands.add_parser(
        'make', help='make a task folder of a dataset', epilog=_MAKE.format(program=program), formatter_class=form
    )
    make.set_defaults(call=_make)
    make.add_argument('data', nargs='+', type=Path, metavar='DATA', help='the dataset: a folder, or files')
    make.add_argument('--from', dest='layout', required=True, choices=sorted(LAYOUTS), help='its layout, see below')
    make.add_argument('--out', required=True, type=Path, metavar='FOLDER', help='the task folder to make')
    make.add_argument('--task', choices=TASKS, default='training', help='default: %(default)s')
    make.add_argument('--images', type=Path, metavar='FOLDER', help='where the images are, if not found by themselves')
    make.add_argument(
        '--classes', metavar='A,B', help='only these classes, in this order; a file with one a line; or coco'
    )
    make.add_argument('--val', type=float, metavar='SHARE', help='of the images to validate with (default: 0.2)')
    make.add_argument('--seed', type=int, default=0, metavar='N', help='of that choice (default: %(default)s)')
    make.add_argument(
        '--set', dest='settings', nargs='+', action='extend', default=[], metavar='KEY=VALUE', help='parameters'
    )
    make.add_argument(
        '--weights',
        nargs='+',
        action='extend',
        default=[],
        type=Path,
        metavar='MODEL',
        help='to start from or to find with: weight files, the folder of a stage, or a task that has been run',
    )
    make.add_argument('--gpu', metavar='IDS', help='0,1 or none (default: the first GPU that is seen here)')

    for name, call, text, told in (
        ('check', _check, 'tell all that is wrong with a task folder', _CHECK),
        ('run', _run, 'run a task folder', _RUN),
    ):
        command = commands.add_parser(name, help=text, description=told, formatter_class=form)
        command.set_defaults(call=call)
        command.add_argument('task', type=Path, metavar='TASK', help='the folder, which holds in/ and out/')

    evaluate = commands.add_parser(
        'evaluate', help='measure a model on a validation set', description=_EVALUATE, formatter_class=form
    )
    evaluate.set_defaults(call=_evaluate)
    evaluate.add_argument('model', type=Path, metavar='MODEL', help='a task that has been run, a stage, or weights')
    evaluate.add_argument('--on', dest='task', required=True, type=Path, metavar='TASK', help='a training task')
    evaluate.add_argument(
        '--out', type=Path, metavar='FOLDER', help='for report.html and report.json (default: TASK/evaluation/NAME)'
    )
    compare = commands.add_parser(
        'compare', help='show models side by side', description=_COMPARE, formatter_class=form
    )
    compare.set_defaults(call=_compare)
    compare.add_argument('models', nargs='+', type=Path, metavar='MODEL', help='reports; with --on, as for evaluate')
    compare.add_argument('--on', dest='task', type=Path, metavar='TASK', help='a training task to evaluate them on')
    compare.add_argument(
        '--out', type=Path, metavar='FOLDER', help='for compare.html and compare.json (default: TASK/comparison)'
    )
    for command in (evaluate, compare):
        command.add_argument(
            '--set',
            dest='settings',
            nargs='+',
            action='extend',
            default=[],
            metavar='KEY=VALUE',
            help='config_file, cfg_options and iou_threshold, as for inference',
        )
        command.add_argument('--classes', metavar='A,B', help='of weights that do not name theirs; a file, or coco')
    _add_simulate(commands, program)
    return parser


def _add_simulate(commands: Any, program: str) -> None:
    command = commands.add_parser(
        'simulate',
        help='try algorithms of mining on a labelled task',
        description=_SIMULATE.format(program=program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(call=_simulate)
    command.add_argument('task', type=Path, metavar='TASK', help='a training task')
    command.add_argument(
        '--algorithms',
        nargs='+',
        default=['entropy', 'aldd', 'cald', 'random'],
        metavar='NAME',
        help='of mining; entropy+diversity is entropy with diversity (default: entropy aldd cald random)',
    )
    command.add_argument('--diversity', action='store_true', help='try each with diversity as well')
    command.add_argument(
        '--rounds', type=int, default=4, metavar='R', help='after the first training (default: %(default)s)'
    )
    command.add_argument(
        '--seeds', type=int, default=2, metavar='S', help='each with first images of its own (default: %(default)s)'
    )
    command.add_argument('--images', type=int, metavar='K', help='to label at a time (default: a tenth of all)')
    command.add_argument(
        '--set', dest='settings', nargs='+', action='extend', default=[], metavar='KEY=VALUE', help='of the trainings'
    )
    command.add_argument('--out', type=Path, metavar='FOLDER', help='for all of it (default: TASK/simulation)')


if __name__ == '__main__':
    sys.exit(main())
