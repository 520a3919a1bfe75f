"""Run the task that env.yaml asks for: read the contract, run the task in a worker, report how it ended."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import Optional, Sequence

from executor.config.find import check_config_file
from executor.contract.config_yaml import read_job
from executor.contract.env import STANDARD_MONITOR_FILE, env_file, read_env
from executor.contract.errors import ConfigError, InUseError
from executor.contract.failure import Failure, failure_of
from executor.contract.inputs import check_inputs
from executor.contract.output.monitor import Monitor
from executor.contract.output.sole_use import claim
from executor.contract.output.writable import check_writable, unwritable
from executor.log import set_up_logging
from executor.process.parent import Terminated, WorkerFailed, heed_termination, ignore_termination, run_in_worker
from executor.training.smaller_batch import with_half_the_batch

logger = logging.getLogger('executor.start')


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the task that env.yaml asks for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--env', metavar='FILE', help='env.yaml (default: $DEFAULT_ENV_FILE_PATH, or /in/env.yaml)')
    parser.add_argument('--cpu-ranks', metavar='N', type=int, default=1, help='processes to work with where no GPU is')
    args = parser.parse_args(argv)
    set_up_logging()
    monitor = Monitor(STANDARD_MONITOR_FILE, 'unknown')
    try:
        heed_termination()
        env = read_env(env_file(args.env))
        claim(env.output.root_dir)
        monitor = Monitor(env.output.monitor_file, env.task_id)
        check_writable(env)
        monitor.running(0.0)
        logger.info('task %s: %s', env.task_id, ' and '.join(env.tasks))
        if args.cpu_ranks < 1:
            raise ConfigError(f'--cpu-ranks must be a whole number of at least 1, found {args.cpu_ranks}')
        job = read_job(env)
        check_config_file(job)
        check_inputs(job)
        run_in_worker(job, args.cpu_ranks, retry=with_half_the_batch)
        monitor.running(1.0)
        return 0
    except InUseError as error:  # monitor.txt is the other task's
        logger.error('%s (code %d)', error, error.code)
        return 1
    except Terminated as error:
        return _fail(monitor, failure_of(error), status=143)
    except WorkerFailed as error:
        return _fail(monitor, error.failure)
    except Exception as error:  # whatever happens, the platform is told
        return _fail(monitor, failure_of(error))


def _fail(monitor: Monitor, failure: Failure, status: int = 1) -> int:
    ignore_termination()
    print(failure.traceback, flush=True)
    try:
        monitor.failed(failure.code, failure.message, failure.traceback)
    except OSError as error:
        logger.error('%s', unwritable(monitor.path, error))
    logger.error('%s (code %d)', failure.message, failure.code)
    return status


if __name__ == '__main__':
    sys.exit(main())
