"""Installs what the project needs, at the exact versions in this folder, into a virtual environment or the running Python.

The only place that installs: `make` calls it for .venv, the Dockerfiles for the Python of the image. It needs nothing but
the standard library of Python 3.8. A second run finds the stamp of the first one and ends at once.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

FOLDER = Path(__file__).resolve().parent
PYTHONS = {'default': ((3, 10), (3, 13)), 'cu111': ((3, 8), (3, 9))}  # oldest and newest with wheels for every pin
# Local versions of torch to try in turn; '' is the one on the public index, which is built for the default stack's CUDA.
TORCH_BUILDS = {
    ('default', 'cuda'): ('',),
    ('default', 'cpu'): ('+cpu', ''),
    ('cu111', 'cuda'): ('+cu111',),
    ('cu111', 'cpu'): ('+cpu', ''),
}
STEPS = 6
ALIVE_S = 30  # a step that takes longer says so this often
TORCH_FACTS = """
import json, os, torch
count = torch.cuda.device_count() if torch.version.cuda else 0
seen = ['%d.%d' % torch.cuda.get_device_capability(i) for i in range(count)]
archs = os.environ.get('TORCH_CUDA_ARCH_LIST') or ' '.join(sorted(set(seen))) or 'all'
print(json.dumps([torch.__version__, torch.version.cuda, archs]))
"""
CHECK = """
import cv2, mmcv, mmdet, mmengine, numpy, platform, torch
import mmdet.datasets, mmdet.models
from mmcv.ops import nms
boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10]])
assert nms(boxes, torch.tensor([0.9, 0.8]), 0.5)[1].tolist() == [0], 'nms kept the wrong box'
packages = (torch, mmcv, mmdet, mmengine, numpy, cv2)
print(', '.join(['Python ' + platform.python_version()] + [p.__name__ + ' ' + p.__version__ for p in packages]))
"""


class InstallError(Exception):
    """The installation cannot go on; the message says why and what to do."""


def read_pins(file: Path) -> Dict[str, List[str]]:
    """Section → its pins, from lines like `# [torch]` and `torch==2.13.0  # why`."""
    sections: Dict[str, List[str]] = {}
    for line in file.read_text(encoding='utf-8').splitlines():
        heading = re.match(r'# \[(.+)\]', line)
        if heading:
            pins = sections.setdefault(heading.group(1), [])
        elif line.split('#')[0].strip():
            pins.append(line.split('#')[0].strip())
    return sections


def has_cuda_compiler() -> bool:
    """Whether nvcc is where torch's extension builder looks for it."""
    home = os.environ.get('CUDA_HOME') or os.environ.get('CUDA_PATH') or '/usr/local/cuda'
    return bool(shutil.which('nvcc') or shutil.which('nvcc', path=os.path.join(home, 'bin')))


def is_writable(folder: Path) -> bool:
    """Whether files can be put into the folder, which is made if missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(str(folder), os.W_OK)


def built_objects(log: Path) -> str:
    """How far ninja is, by the last `[12/139]` in the log of a build."""
    counts = re.findall(rb'^\s*\[(\d+)/(\d+)\]', log.read_bytes(), flags=re.MULTILINE)
    return ', %d of %d object files' % tuple(map(int, counts[-1])) if counts else ''


class Installer:
    """One installation: what was asked for, how to say where it is, and the six steps."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.started = time.monotonic()
        self.step = 0
        self.stack: str = options.stack
        self.dev: bool = options.dev
        self.device: str = options.device
        self.venv: Optional[Path] = options.venv
        self.python = str(self.venv / 'bin' / 'python') if self.venv else sys.executable
        self.file = FOLDER / (self.stack + '.txt')
        self.pins = read_pins(self.file)
        self.scratch = scratch
        self.caches = [options.wheel_cache, (self.venv or Path(sys.prefix)) / 'wheel-cache']
        self.env = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK='1')

    def say(self, text: str, new_step: bool = False) -> None:
        """One line: step, time since the start, what is happening."""
        self.step += new_step
        seconds = int(time.monotonic() - self.started)
        print('[%d/%d] %d:%02d %s' % (self.step, STEPS, seconds // 60, seconds % 60, text), flush=True)

    def execute(self, command: List[str], log: Path, progress: Callable[[Path], str] = lambda log: '') -> bool:
        """Runs the command with its output in the log, saying now and then that it is alive; True if it succeeded."""
        with log.open('wb') as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=self.env)
        try:
            while True:
                try:
                    return process.wait(timeout=ALIVE_S) == 0
                except subprocess.TimeoutExpired:
                    self.say('  still at it' + progress(log))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()

    def must(self, what: str, command: List[str], log: Optional[Path] = None, **kwargs: Callable[[Path], str]) -> str:
        """Runs the command and returns its output; a failure shows the end of it."""
        log = log or self.scratch / 'log'
        done = self.execute(command, log, **kwargs)
        output = log.read_text(encoding='utf-8', errors='replace').strip()
        if not done:
            raise InstallError('%s\n%s failed; above is the end of its output' % ('\n'.join(output.splitlines()[-30:]), what))
        return output

    def pip(self, *arguments: str) -> List[str]:
        """The command line of a quiet `pip install` that keeps to the stack's pins."""
        return [self.python, '-m', 'pip', 'install', '-q', '-c', str(self.file), *arguments]

    def install(self) -> None:
        """All steps in order."""
        self.choose_device()
        self.prepare_python()
        torch, cuda_archs = self.install_torch()
        self.install_packages()
        self.install_mmcv(torch, cuda_archs)
        self.say('mmdet, mmengine', new_step=True)
        self.must('installing mmdet', self.pip('--no-deps', '--no-build-isolation', *self.pins['no-deps']))
        self.say('check: imports, and mmcv\'s nms on two boxes', new_step=True)
        self.say('ready: ' + self.must('the check', [self.python, '-W', 'ignore', '-c', CHECK]).splitlines()[-1])

    def choose_device(self) -> None:
        """Turns `auto` into cuda or cpu: mmcv's CUDA operators need a GPU's driver and the CUDA compiler."""
        has_gpu = shutil.which('nvidia-smi') and not subprocess.call(
            ['nvidia-smi', '-L'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if self.device == 'cuda' and not has_cuda_compiler():
            raise InstallError('--device cuda needs the CUDA toolkit (nvcc) to compile mmcv: install it or set CUDA_HOME')
        if self.device == 'auto':
            self.device = 'cuda' if has_gpu and has_cuda_compiler() else 'cpu'
            if has_gpu and self.device == 'cpu':
                print('A GPU but no CUDA toolkit (nvcc) to compile mmcv with: installing for the CPU only.', flush=True)

    def prepare_python(self) -> None:
        """Step 1: the environment; refuses a Python or a system that cannot do the rest."""
        exists = Path(self.python).exists()
        python = self.python if exists else sys.executable
        self.say('Python environment %s, device %s' % (self.venv or sys.prefix, self.device), new_step=True)
        facts = 'import json, sys, sysconfig; print(json.dumps([sys.version_info[:2], sysconfig.get_path("include")]))'
        version, include = json.loads(self.must('asking %s for its version' % python, [python, '-c', facts]))
        oldest, newest = PYTHONS[self.stack]
        if not oldest <= tuple(version) <= newest:
            found = (self.stack, *oldest, *newest, python, *version)
            hint = '`make clean` first, then ' if exists and self.venv else ''
            message = 'the %s stack needs Python %d.%d to %d.%d, and %s is %d.%d: %srun with another, as in `make install '
            raise InstallError((message + 'PYTHON=python%d.%d`') % (*found, hint, *newest))
        self.python_tag = 'cp%d%d' % tuple(version)
        self.require_system(Path(include), with_venv=not exists)
        if not exists:
            self.must('making the virtual environment', [sys.executable, '-m', 'venv', str(self.venv)])

    def require_system(self, include: Path, with_venv: bool) -> None:
        """The compiler and headers that mmcv's build needs, unless its wheel may be there already."""
        missing = []
        if not list(self.caches[0].glob(self.wheel_key('*', '*') + '/*.whl')):
            if not any(shutil.which(name) for name in (os.environ.get('CXX', 'c++'), 'g++', 'c++')):
                missing.append(('a C++ compiler', 'build-essential'))
            if not (include / 'Python.h').exists():
                missing.append(('Python.h in %s' % include, 'python3-dev'))
        if with_venv and not importlib.util.find_spec('ensurepip'):
            missing.append(('the module ensurepip', 'python3-venv'))
        if missing:
            names, packages = zip(*missing)
            raise InstallError('missing: %s; on Debian: apt-get install %s' % (', '.join(names), ' '.join(packages)))
