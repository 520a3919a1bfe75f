"""Weights for the image: the table of what can be named, and how a file is fetched and checked."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docker.fetch_weights import known_weights
from executor.config.known_models import known_models
from executor.weights import choose
from executor.weights.choose import architecture, image_weights
from tests.conftest import REPOSITORY

SCRIPT = REPOSITORY / 'docker' / 'fetch_weights.py'
CONTENT = b'stands for weights'
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_each_name_is_of_a_known_model_which_finds_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(choose, 'IMAGE_WEIGHTS', tmp_path)
    published = {model.weights: model for model in known_models()}
    known = known_weights().values()
    for weights in known:
        (tmp_path / weights.file).touch()
    for weights in known:
        model = published[weights.address]
        assert image_weights(architecture(model.config_file)) == tmp_path / weights.file
        assert weights.licence == model.licence == 'Apache-2.0'
    assert len(known) == len({weights.address for weights in known}) == 17


def test_a_hash_is_whole_or_of_the_digits_that_mmdet_puts_into_its_file_names():
    for weights in known_weights().values():
        assert re.fullmatch('[0-9a-f]{8}|[0-9a-f]{64}', weights.sha256)
        named = re.search(r'-([0-9a-f]{8})\.pth$', weights.address)
        assert weights.sha256.startswith(named.group(1)) if named else len(weights.sha256) == 64


@pytest.fixture
def fetched(tmp_path):
    """Run the program, in a copy of its folder whose table has a name more, and return how it ended and /weights."""
    (tmp_path / 'page').mkdir()
    (tmp_path / 'page' / 'new.pth').write_bytes(CONTENT)
    (tmp_path / 'fetch_weights.py').write_text(SCRIPT.read_text(encoding='utf-8'), encoding='utf-8')
    (tmp_path / 'weights').mkdir()

    def run(*words: str, sha256: str = SHA256, file: str = 'new.pth') -> tuple[subprocess.CompletedProcess, Path]:
        table = (SCRIPT.parent / 'weights.tsv').read_text(encoding='utf-8')
        row = f'new\tyolox_new.pth\tfile://{tmp_path}/page/{file}\t{sha256}\tApache-2.0\n'
        (tmp_path / 'weights.tsv').write_text(table + row, encoding='utf-8')
        words = [word.replace('ROOT', f'file://{tmp_path}/page') for word in words]
        command = [sys.executable, '-S', str(tmp_path / 'fetch_weights.py'), str(tmp_path / 'weights'), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False), tmp_path / 'weights'

    return run


@pytest.mark.parametrize(
    'word, sha256, file, told',
    [
        ('new', SHA256, 'yolox_new.pth', f'sha256 begins with {SHA256}, licence: Apache-2.0'),
        ('new', SHA256[:8], 'yolox_new.pth', f'sha256 begins with {SHA256[:8]}, licence: Apache-2.0'),
        (f'ROOT/new.pth#sha256={SHA256}', '', 'new.pth', f'sha256 begins with {SHA256}, licence: unknown'),
        ('ROOT/new.pth', '', 'new.pth', 'not checked, licence: unknown'),
    ],
)
def test_what_fits_is_there(fetched, word, sha256, file, told):
    done, folder = fetched(word, sha256=sha256)
    assert (done.returncode, done.stdout, done.stderr) == (0, f'{file}: 18 bytes, {told}\n', '')
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {file: CONTENT}


@pytest.mark.parametrize(
    'words, changes, told',
    [
        (['new'], {'sha256': '0' * 8}, f'/page/new.pth has sha256 {SHA256}, expected 00000000: it came in part, or is'),
        ([f'ROOT/new.pth#sha256={SHA256[:-1]}x'], {}, f'/page/new.pth has sha256 {SHA256}, expected {SHA256[:-1]}x: '),
        (['new'], {'file': 'gone.pth'}, 'put the file into docker/weights as yolox_new.pth'),
        (['new', 'tinny'], {}, "weights: 'tinny' is not in weights.tsv: use names out of nano, tiny, s, m, l, x, "),
    ],
)
def test_what_does_not_fit_ends_the_build_and_leaves_nothing(fetched, words, changes, told):
    done, folder = fetched(*words, **changes)
    assert done.returncode == 1 and told in done.stderr and 'Traceback' not in done.stderr
    assert done.stderr.count('\n') == 1 and not list(folder.iterdir())


def test_a_file_of_the_folder_is_checked_in_place_of_being_fetched(fetched, tmp_path):
    (tmp_path / 'weights' / 'yolox_new.pth').write_bytes(CONTENT)
    done, _ = fetched('new', file='gone.pth')
    assert done.returncode == 0, done.stderr
    done, folder = fetched('new', sha256='0' * 64)
    assert done.returncode == 1 and f'docker/weights/yolox_new.pth has sha256 {SHA256}, expected 000' in done.stderr
    assert (folder / 'yolox_new.pth').read_bytes() == CONTENT


def test_nothing_is_asked_for(fetched):
    done, folder = fetched()
    assert (done.returncode, done.stdout, done.stderr, list(folder.iterdir())) == (0, '', '', [])
