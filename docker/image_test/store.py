"""Images built and run without a Docker engine: buildah in a store of its own, on a Debian made by debootstrap."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'ymir-mmdet'
QUIET = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
PIP_SETTINGS = ('index-url', 'extra-index-url', 'find-links', 'cert')

# As the platform's `docker run` with everything taken away that can be: nothing may be written but /out and /tmp (root
# also finds buildah's own /run), there is no network, and /dev/shm has the 64 MB that Docker gives by default.
RUN_SCRIPT = """
mount --make-rprivate /
ip link set lo up
root=$("${BUILDAH[@]}" mount "$CONTAINER")
touch "$root/etc/hosts" "$root/etc/resolv.conf"
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o size=64m tmpfs /dev/shm
exec "${BUILDAH[@]}" run --isolation chroot "$@"
"""


def require_tools() -> None:
    """Installs what this needs beside a Debian or Ubuntu; ends with what to do where it cannot."""
    if os.geteuid():
        sys.exit('images are built and run in a chroot, which takes root: run this with sudo')
    packages = {'buildah': 'buildah', 'debootstrap': 'debootstrap', 'ip': 'iproute2', 'unshare': 'util-linux'}
    missing = [package for tool, package in packages.items() if not shutil.which(tool)]
    if missing:
        subprocess.check_call(['apt-get', 'update', '-q'])
        subprocess.check_call(['apt-get', 'install', '-y', '-q', '--no-install-recommends', *missing])


class Store:
    """Images and containers below one folder, which can be thrown away whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        driver = os.environ.get('STORAGE_DRIVER') or ('overlay' if _overlay_works(folder) else 'vfs')
        self.command = ['buildah', '--root', str(folder / 'root'), '--runroot', str(folder / 'run')]
        self.command += ['--storage-driver', driver]

    def buildah(self, *arguments: str) -> str:
        """The output of a command that must succeed."""
        return subprocess.check_output([*self.command, *arguments], text=True).strip()

    def import_base(self, suite: str) -> str:
        """The smallest Debian with a Python, as an image; made once and kept in the user's cache."""
        name, archive = f'localhost/base-{suite}', CACHE / f'base-{suite}.tar'
        if subprocess.call([*self.command, 'inspect', '--type', 'image', name], **QUIET) == 0:
            return name
        if not archive.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            _debootstrap(suite, archive)
        container = self.buildah('from', 'scratch')
        self.buildah('add', '-q', container, str(archive), '/')
        self.buildah('commit', '-q', '--rm', container, name)
        return name

    def build(self, name: str, context: Path, dockerfile: str, arguments: Mapping[str, str], log: Path) -> None:
        """`buildah bud` with this machine's pip settings, pip's cache and the wheels of mmcv that were built before."""
        pip = pip_settings()
        pip_cache = Path.home() / '.cache' / 'pip'
        pip_cache.mkdir(parents=True, exist_ok=True)
        mounts = [f'{path}:{path}:ro' for path in _local_paths(pip)]
        mounts += [f'{CACHE}:/build/wheels', f'{pip_cache}:/root/.cache/pip']
        command = [
            *self.command,
            'bud',
            '--isolation',
            'chroot',
            '--layers',
            '-t',
            name,
            '-f',
            str(context / dockerfile),
        ]
        for key, value in {**pip, **arguments}.items():
            command += ['--build-arg', f'{key}={value}']
        for mount in mounts:
            command += ['-v', mount]
        with log.open('w') as out:
            status = subprocess.call([*command, str(context)], stdout=out, stderr=out)
        if status:
            sys.exit(f'{dockerfile} does not build; the end of {log}:\n{_tail(log)}')

    def config(self, name: str) -> dict[str, Any]:
        """What an image says of itself: Cmd, Env, Labels, ..."""
        return json.loads(self.buildah('inspect', '--type', 'image', name))['OCIv1']['config']

    def size(self, name: str, folder: str = '') -> int:
        """Bytes on disk of an image, or of one folder in it."""
        container = self.buildah('from', name)
        path = self.buildah('mount', container) + folder
        kilobytes = subprocess.check_output(['du', '-sxk', path], text=True).split()[0]
        self.buildah('rm', container)
        return int(kilobytes) * 1024

    def run(
        self, container: str, command: Iterable[str], log: Path, mounts: Mapping[str, Path], user: str = '1000:1000'
    ) -> int:
        """The exit status of a command in a container; `mounts` by their path inside, read-only but /out and /tmp."""
        options = ['--user', user]
        for inside, folder in mounts.items():
            options += ['-v', f'{folder}:{inside}' + ('' if inside in ('/out', '/tmp') else ':ro')]
        quoted = ' '.join(f"'{word}'" for word in self.command)
        script = f'set -eu; BUILDAH=({quoted}); CONTAINER={container}\n{RUN_SCRIPT}'
        arguments = ['unshare', '-m', '-n', 'bash', '-c', script, 'run', *options, container, '--', *command]
        with log.open('w') as out:
            return subprocess.call(arguments, stdout=out, stderr=out)

    def remove(self) -> None:
        """All containers, images and the folder."""
        self.buildah('rm', '--all')
        self.buildah('rmi', '--all', '--force')
        shutil.rmtree(self.folder)


def pip_settings() -> dict[str, str]:
    """Where this machine's pip looks for packages, as build arguments; the environment goes over the files."""
    listed = subprocess.check_output([sys.executable, '-m', 'pip', 'config', 'list'], text=True)
    found = {}
    for scope in ('global', 'user', 'site', ':env:'):
        for key, value in re.findall(rf"^{scope}\.([\w-]+)='(.*)'$", listed, re.M):
            if key in PIP_SETTINGS:
                found['PIP_' + key.upper().replace('-', '_')] = value.replace('\\n', ' ').strip()
    return found


def _local_paths(pip: Mapping[str, str]) -> list[Path]:
    """What of pip's settings lies on this machine. The files of an index lie beside its pages."""
    words = [word for value in pip.values() for word in value.split()]
    paths = [Path(word[7:]).parent if word.startswith('file://') else Path(word) for word in words]
    return sorted({path for path in paths if path.is_absolute() and path.exists()})


def _overlay_works(folder: Path) -> bool:
    with tempfile.TemporaryDirectory(dir=str(folder)) as scratch:
        for name in ('lower', 'upper', 'work', 'merged'):
            Path(scratch, name).mkdir()
        options = ','.join(f'{name}dir={scratch}/{name}' for name in ('lower', 'upper', 'work'))
        mount = ['unshare', '-m', 'mount', '-t', 'overlay', 'overlay', '-o', options, f'{scratch}/merged']
        return subprocess.call(mount, stderr=subprocess.DEVNULL) == 0


def _debootstrap(suite: str, archive: Path) -> None:
    with tempfile.TemporaryDirectory(dir='/var/tmp') as scratch:
        root, log = Path(scratch, 'root'), Path(scratch, 'log')
        mirror = [os.environ['DEBIAN_MIRROR']] if 'DEBIAN_MIRROR' in os.environ else []
        packages = '--include=python3,ca-certificates'
        with log.open('w') as out:
            command = ['debootstrap', '--variant=minbase', packages, suite, str(root), *mirror]
            if subprocess.call(command, stdout=out, stderr=out):
                sys.exit(f'debootstrap failed:\n{_tail(log)}')
        for folder in ('var/cache/apt/archives', 'var/lib/apt/lists'):
            shutil.rmtree(root / folder)
            (root / folder / 'partial').mkdir(parents=True)
        part = archive.with_name(f'{archive.name}.{os.getpid()}')
        subprocess.check_call(['tar', '-C', str(root), '--one-file-system', '-cf', str(part), '.'])
        part.replace(archive)


def _tail(log: Path, lines: int = 30) -> str:
    return '\n'.join(log.read_text(errors='replace').splitlines()[-lines:])
