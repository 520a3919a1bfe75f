"""Run the task that env.yaml asks for: read the contract, run the task in a worker, report how it ended."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import NoReturn, Optional, Sequence

# Only what needs nothing but the standard library: whatever else cannot be imported is told.
from executor.contract.errors import ConfigError, InUseError
from executor.contract.failure import WorkerFailed, failure_of
from executor.contract.output.monitor import STANDARD_MONITOR_FILE, Monitor
from executor.contract.output.sole_use import claim
from executor.log import set_up_logging
from executor.machine.limits import allow_open_files
from executor.process.explain import explained
from executor.process.node import ALONE, Node, read_node
from executor.process.termination import Terminated, heed_termination, ignore_termination

logger = logging.getLogger('executor.start')


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the task that env.yaml asks for; returns the exit status."""
    monitor: Optional[Monitor] = None  # env.yaml names it
    node = ALONE
    try:
        try:
            set_up_logging()
            heed_termination()
            from executor.config.find import check_config_file
            from executor.config.known_models import describe_models
            from executor.contract.config_yaml import read_job
            from executor.contract.env import env_file, read_env
            from executor.contract.inputs import check_inputs
            from executor.contract.output.writable import check_writable
            from executor.process.parent import run_in_worker
            from executor.training.smaller_batch import with_half_the_batch

            args = _parser().parse_args(argv)
            if args.models:
                print(describe_models())
                return 0
            node = read_node(args.nodes, args.node_rank, args.rendezvous, os.environ)
            env = read_env(env_file(args.env))
            if node.is_first:  # which alone writes what the platform reads
                claim(env.output.root_dir)
                monitor = Monitor(env.output.monitor_file, env.task_id)
                check_writable(env)
                monitor.running(0.0)
            logger.info('task %s: %s%s', env.task_id, ' and '.join(env.tasks), node.described)
            if args.cpu_ranks < 1:
                raise ConfigError(f'--cpu-ranks must be a whole number of at least 1, found {args.cpu_ranks}')
            job = read_job(env)
            allow_open_files(len(job.gpu_ids) or args.cpu_ranks)
            check_config_file(job)
            check_inputs(job)
            run_in_worker(job, args.cpu_ranks, node, retry=with_half_the_batch)
            ignore_termination()
            if monitor is not None:
                monitor.running(1.0)
            return 0
        except BaseException as error:  # whatever happens, the platform is told
            if isinstance(error, SystemExit) and error.code == 0:  # --help
                raise
            return _fail(node, monitor, error)
    except Terminated as error:  # in the moment before that
        return _fail(node, monitor, error)


def _fail(node: Node, monitor: Optional[Monitor], error: BaseException) -> int:
    ignore_termination()
    failure = error.failure if isinstance(error, WorkerFailed) else failure_of(explained(error))
    try:
        if node.is_first and not isinstance(error, InUseError):  # monitor.txt is another's
            (monitor or _usual_monitor()).failed(failure.code, failure.message, failure.traceback)
    except Exception as trouble:
        logger.error('%s cannot be written (%s)', monitor.path if monitor else STANDARD_MONITOR_FILE, trouble)
    print(failure.traceback, flush=True)
    logger.error('%s (code %d)', failure.message, failure.code)
    return error.status if isinstance(error, Terminated) else 1


def _usual_monitor() -> Monitor:
    """Return the one for a task that cannot say where its own is."""
    if STANDARD_MONITOR_FILE.parent.is_dir():
        claim(STANDARD_MONITOR_FILE.parent)  # it may be that of a task which runs
    return Monitor(STANDARD_MONITOR_FILE, 'unknown')


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are told to the platform as all others are."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f'start.py: {message}: see start.py --help')


def _parser() -> _Parser:
    parser = _Parser(description=__doc__)
    parser.add_argument('--env', metavar='FILE', help='env.yaml (default: $DEFAULT_ENV_FILE_PATH, or /in/env.yaml)')
    parser.add_argument('--models', action='store_true', help='list models that config_file may name, and end')
    parser.add_argument('--cpu-ranks', metavar='N', type=int, default=1, help='processes to work with where no GPU is')
    parser.add_argument('--nodes', metavar='N', help='machines that share the task, all with the same /in and /out')
    parser.add_argument('--node-rank', metavar='R', help='the number of this machine, from 0')
    parser.add_argument('--rendezvous', metavar='HOST:PORT', help='where machine 0 is reached by all')
    return parser


if __name__ == '__main__':
    sys.exit(main())
