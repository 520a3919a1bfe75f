"""Installs everything at the exact versions in this folder, for `make` and the Dockerfiles; nothing else installs."""

import argparse
import hashlib
import importlib.util
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
from typing import Dict, List, Optional

FOLDER = Path(__file__).resolve().parent
PYTHONS = {'default': ['3.11', '3.10', '3.12', '3.13'], 'cu111': ['3.8', '3.9']}  # first the one tested
# Local versions of torch, tried in turn; '' is the public build, which for torch 1.10 means CUDA 10.2.
TORCH_BUILDS = {'default-cuda': [''], 'default-cpu': ['+cpu', ''], 'cu111-cuda': ['+cu111'], 'cu111-cpu': ['+cpu', '']}
ALIVE_S = 30  # a step that takes longer says so this often
TORCH_FACTS = """import os, sys, torch, torch.cuda as gpu
archs = os.environ.get('TORCH_CUDA_ARCH_LIST') or gpu.is_available() and '%d.%d' % gpu.get_device_capability() or 'all'
print('%s|%s|cp%d%d|%s' % (torch.__version__, torch.version.cuda or '', *sys.version_info[:2], archs))"""
CHECK = """import cv2, mmcv, mmdet.datasets, mmdet.models, mmengine, numpy, sys, torch
from mmcv.ops import nms
boxes, scores = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10]]), torch.tensor([0.9, 0.8])
for device in ['cpu'] + ['cuda'] * (sys.argv[1] == 'cuda' and torch.cuda.is_available()):
    assert nms(boxes.to(device), scores.to(device), 0.5)[1].tolist() == [0], 'nms kept the wrong box'
print(', '.join(m.__name__ + ' ' + m.__version__ for m in (torch, mmcv, mmdet, mmengine, numpy, cv2)))"""


class InstallError(Exception):
    """The installation cannot go on; the message says why and, where we know it, what to do."""


def read_pins(file: Path) -> Dict[str, List[str]]:
    """Section → its pins, from headings like `# [torch]` and lines like `torch==2.13.0  # why`."""
    _, *parts = re.split(r'^# \[(.+)\]$', file.read_text(encoding='utf-8'), flags=re.MULTILINE)
    pin = re.compile(r'^[^#\s][^#\n]*[^#\s]', re.MULTILINE)
    return {name: pin.findall(lines) for name, lines in zip(parts[::2], parts[1::2])}


def choose_device(asked: str) -> str:
    """cuda or cpu. mmcv's CUDA operators must be compiled, so `auto` is cuda where there are a GPU and nvcc."""
    nvcc = shutil.which('nvcc') or shutil.which(os.environ.get('CUDA_HOME', '/usr/local/cuda') + '/bin/nvcc')
    if asked == 'cuda' and not nvcc:
        raise InstallError('--device cuda needs nvcc to compile mmcv: install the CUDA toolkit or set CUDA_HOME')
    gpu = shutil.which('nvidia-smi') and not subprocess.call(['nvidia-smi', '-L'], stdout=subprocess.DEVNULL)
    if asked == 'auto' and gpu and not nvcc:
        print('A GPU, but no CUDA toolkit (nvcc) to compile mmcv with: installing for the CPU only.', flush=True)
    found = 'cuda' if gpu and nvcc else 'cpu'
    return found if asked == 'auto' else asked


def require_system(stack: str, make_venv: bool) -> None:
    """Refuses a Python without wheels for our pins, and names the Debian packages that are missing."""
    version = '{}.{}'.format(*sys.version_info)
    if version not in PYTHONS[stack]:
        wanted = f'{", ".join(PYTHONS[stack])}; name one as in `make install PYTHON=python{PYTHONS[stack][0]}`'
        raise InstallError(f'{sys.executable} is Python {version}, the {stack} stack needs one of {wanted}')
    packages = {
        'build-essential': any(map(shutil.which, (os.environ.get('CXX', 'c++'), 'g++'))),
        'python3-dev': Path(sysconfig.get_path('include'), 'Python.h').exists(),
        'python3-venv': not make_venv or importlib.util.find_spec('ensurepip'),
    }
    missing = ' '.join(name for name, there in packages.items() if not there)
    if missing:
        raise InstallError(f'C++ compiler, Python.h or venv missing; on Debian and Ubuntu: apt-get install {missing}')


class Installer:
    """One installation, in six steps, each told on stdout."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.options, self.scratch, self.started, self.step = options, scratch, time.monotonic(), 0
        self.python = str(options.prefix / 'bin' / 'python') if options.venv else sys.executable
        self.pins = read_pins(options.pins)
        self.device = choose_device(options.device)

    def install(self) -> None:
        """All steps in order."""
        self.say(f'Python {platform.python_version()} in {self.options.prefix}, device {self.device}', next_step=True)
        require_system(self.options.stack, make_venv=not Path(self.python).exists())
        if not Path(self.python).exists():
            self.run(sys.executable, '-m', 'venv', str(self.options.prefix))
        self.say(f'build tools and {self.pins["torch"][0]}', next_step=True)
        self.install_torch()
        self.say('the other packages', next_step=True)
        self.pip('install', *self.pins['packages'], *(['-r', str(FOLDER / 'dev.txt')] if self.options.dev else []))
        self.install_mmcv()
        self.say('mmdet and mmengine', next_step=True)
        self.pip('install', '--no-deps', '--no-build-isolation', *self.pins['no-deps'])
        self.say("check: import mmdet, run mmcv's nms on two boxes", next_step=True)
        self.say('ready: ' + self.run(self.python, '-W', 'ignore', '-c', CHECK, self.device).splitlines()[-1])

    def say(self, text: str, next_step: bool = False) -> None:
        """One line: which step, minutes and seconds since the start, what is happening."""
        self.step += next_step
        clock = divmod(int(time.monotonic() - self.started), 60)
        print('[{}/6] {}:{:02d} {}'.format(self.step, *clock, text), flush=True)

    def run(self, *command: str, log: Optional[Path] = None) -> str:
        """The output of a command; a long one is seen to be alive, a failed one raises with its last 30 lines."""
        log = log or self.scratch / 'log'
        with log.open('wb') as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
            while process.returncode is None:
                try:
                    process.wait(timeout=ALIVE_S)
                except subprocess.TimeoutExpired:
                    ninja = re.findall(r'^\s*\[(\d+/\d+)\]', log.read_text(errors='replace'), re.MULTILINE)
                    self.say(f'still running, {ninja[-1]} files compiled' if ninja else 'still running')
        output = log.read_text(errors='replace').strip()
        if process.returncode:
            raise InstallError('\n'.join([f'failed: {" ".join(command)}', *output.splitlines()[-30:]]))
        return output

    def pip(self, command: str, *arguments: str, log: Optional[Path] = None) -> None:
        """`pip install` or `pip wheel`, held to the pins of the stack; verbose where there is a log to keep."""
        options = ['-v' if log else '-q', '--disable-pip-version-check', '-c', str(self.options.pins)]
        self.run(self.python, '-m', 'pip', command, *options, *arguments, log=log)

    def install_torch(self) -> None:
        """torch in the build that fits the device: for a CPU the small one, where pip's sources hold it."""
        pins = [self.pins['torch'][0] + build for build in TORCH_BUILDS[f'{self.options.stack}-{self.device}']]
        for pin in pins:
            try:
                return self.pip('install', *self.pins['build'], pin)
            except InstallError as error:
                if pin == pins[-1] or not re.search('No matching distribution|ResolutionImpossible', str(error)):
                    raise
            advice = "to avoid that, set PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS to where PyTorch's CPU wheels are"
            self.say(f'pip finds no {pin}: fetching the CUDA build, several GB; {advice}')

    def install_mmcv(self) -> None:
        """mmcv and its operators, compiled once for this torch and Python and then kept in the wheel cache."""
        facts = self.run(self.python, '-W', 'ignore', '-c', TORCH_FACTS).splitlines()[-1]
        torch, cuda, python, archs = facts.split('|')
        if self.device == 'cuda' and not cuda:
            raise InstallError(f"pip's sources gave torch {torch}, which is built without CUDA: use --device cpu")
        target = f'cuda-{archs}' if self.device == 'cuda' else 'cpu'
        key = f'{self.pins["mmcv"][0]}-torch-{torch}-{python}-{platform.machine()}-{target}'
        cache = self.options.wheel_cache / re.sub(r'[^\w.+]+', '-', key)
        self.say(f"mmcv's operators, compiled once and kept in {cache}", next_step=True)
        if not any(cache.glob('*.whl')):
            cache = self.build_mmcv(cache, torch)
        self.pip('install', '--no-deps', '--force-reinstall', *map(str, cache.glob('*.whl')))

    def build_mmcv(self, cache: Path, torch: str) -> Path:
        """Compiles mmcv; returns the folder its wheel is in: the cache or, where that is read-only, the environment."""
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError:
            cache = self.options.prefix / 'wheel-cache' / cache.name
            cache.mkdir(parents=True, exist_ok=True)
        log = cache / 'build.log'
        self.say(f'building them from source for torch {torch}: 5 to 15 minutes, this once; log: {log}')
        os.environ.update(MMCV_WITH_OPS='1', FORCE_CUDA=str(int(self.device == 'cuda')))
        os.environ.setdefault('MAX_JOBS', str(os.cpu_count()))
        # torch 1.10 finds ninja only there.
        os.environ['PATH'] = os.pathsep.join([str(self.options.prefix / 'bin'), os.environ.get('PATH', os.defpath)])
        if self.device == 'cpu':
            os.environ['CUDA_VISIBLE_DEVICES'] = ''  # setup.py compiles for CUDA wherever torch sees a GPU
        with tempfile.TemporaryDirectory(dir=str(cache)) as folder:
            options = ['--no-deps', '--no-build-isolation', '--no-cache-dir', '-w', folder]
            self.pip('wheel', *options, *self.pins['mmcv'], log=log)
            for wheel in Path(folder).glob('*.whl'):
                wheel.replace(cache / wheel.name)
        return cache


def main() -> None:
    """Installs, unless the stamp says that exactly this is there."""
    cache = Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'ymir-mmdet'
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--venv', type=Path, help='the virtual environment, made if missing; else this Python')
    parser.add_argument('--stack', choices=sorted(PYTHONS), default='default', help='default: %(default)s')
    parser.add_argument('--device', choices=('auto', 'cpu', 'cuda'), default='auto', help='default: %(default)s')
    parser.add_argument('--dev', action='store_true', help='also what linting and testing need')
    parser.add_argument('--wheel-cache', type=Path, default=cache, help='keeps the compiled mmcv; default: %(default)s')
    options = parser.parse_args()
    options.prefix = Path(os.path.abspath(options.venv or sys.prefix))
    options.pins = FOLDER / f'{options.stack}.txt'
    inputs = [file.read_bytes() for file in (Path(__file__), options.pins, FOLDER / 'dev.txt')]
    digest = hashlib.sha256(b''.join([*inputs, repr(options).encode()])).hexdigest()
    stamp = options.prefix / 'ymir-mmdet.stamp'  # so that a second run ends at once
    if stamp.exists():
        if stamp.read_text() == digest and (options.prefix / 'bin' / 'python3').exists():
            return print(f'Everything is installed in {options.prefix}.')
        stamp.unlink()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            Installer(options, Path(scratch)).install()
    except InstallError as error:
        sys.exit(f'install: {error}')
    stamp.write_text(digest)


if __name__ == '__main__':
    main()
