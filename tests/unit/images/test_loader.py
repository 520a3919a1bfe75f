"""Images read ahead: every one once and in order, with its own pixels, whatever the number of processes."""

from __future__ import annotations

import functools
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import cv2
import numpy as np
import pytest

from executor.contract.errors import OutOfMemoryError
from executor.images.loader import ImageLoader
from executor.images.prepare import Prepared
from tests.support.processes import alive, wait_until

REPOSITORY = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.timeout(120)  # a loader that hangs is a failure like any other


def image_of(position: int) -> np.ndarray:
    """An image that no other position has: 4 to 6 high, 5 to 8 wide."""
    height, width = 4 + position % 3, 5 + position % 4
    image = np.full((height, width, 3), position, np.uint8)
    image[0, 0] = (position, 255 - position, height * width)
    return image


@pytest.fixture(scope='module')
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """37 images, the position in the pixels."""
    folder = tmp_path_factory.mktemp('images')
    names = [str(folder / f'{position}.png') for position in range(37)]
    for position, name in enumerate(names):
        cv2.imwrite(name, image_of(position))
    return names


class AsIs:
    """Prepares an image by copying it; `before` is called first, with the image's position."""

    largest = 6 * 8 * 3  # positions 11, 23 and 35 fill it, so that a byte too far shows

    def __init__(self, before: Callable[[int], None] = int) -> None:
        self._before = before

    def __call__(self, image: np.ndarray, out: np.ndarray | None = None) -> Prepared:
        assert out is not None and out.size == self.largest
        self._before(int(image[0, 0, 0]))
        pixels = out[: image.size].reshape(image.shape)
        pixels[:] = image
        return Prepared(pixels, (image.shape[1], image.shape[0]), (1.0, 1.0))


class WithoutBuffer:
    """The same for a preparation that does not know how large its results are."""

    largest = 0

    def __call__(self, image: np.ndarray, out: np.ndarray | None = None) -> Prepared:
        assert out is None
        return Prepared(image.astype(np.float32), (image.shape[1], image.shape[0]), (0.5, 2.0), {'flip': False})


def check_image(loaded: Any) -> None:
    expected = image_of(loaded.position)
    assert loaded.error is None
    assert loaded.prepared.size == (expected.shape[1], expected.shape[0])
    np.testing.assert_array_equal(loaded.prepared.pixels, expected)


def in_batches(positions: Sequence[int], size: int) -> list[list[int]]:
    return [list(positions[start : start + size]) for start in range(0, len(positions), size)]


def released(loader: ImageLoader) -> Iterator[Any]:
    """The batches, each released when the next is asked for."""
    for batch in loader:
        yield batch
        batch.release()


def checked(loader: ImageLoader) -> list[list[int]]:
    """The positions of each batch, their images being right."""
    found = []
    for batch in released(loader):
        for loaded in batch.images:
            check_image(loaded)
        found.append([loaded.position for loaded in batch.images])
    return found


@pytest.mark.parametrize('workers', [0, 1, 2, 3])
@pytest.mark.parametrize('batch_size', [1, 3, 7, 16, 100])
@pytest.mark.parametrize('count', [0, 1, 10, 37])
def test_every_image_once_in_order(paths, count, batch_size, workers):
    loader = ImageLoader(paths, range(count), AsIs(), batch_size, workers, held=1)
    assert checked(loader) == in_batches(range(count), batch_size)


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('positions', [range(1, 37, 4), range(36, 37), range(3, 30, 3), [5, 2, 30]], ids=str)
def test_only_the_positions_asked_for(paths, positions, workers):
    assert checked(ImageLoader(paths, positions, AsIs(), 4, workers, held=1)) == in_batches(positions, 4)


@pytest.mark.parametrize('workers', [0, 1, 3])
@pytest.mark.parametrize('batch_size', [1, 5])
@pytest.mark.parametrize('held', [1, 2, 4])
def test_pixels_stay_until_they_are_released(paths, held, batch_size, workers):
    holding: list[Any] = []
    places = set()
    for count, batch in enumerate(ImageLoader(paths, range(37), AsIs(), batch_size, workers, held), start=1):
        holding.append(batch)
        if workers and count % 5 == 1:
            time.sleep(0.02)  # for the processes to spoil what is not theirs
        for loaded in (loaded for one in holding for loaded in one.images):
            check_image(loaded)
        starts = {one.images[0].prepared.pixels.ctypes.data for one in holding}
        assert len(starts) == len(holding)
        places |= starts
        if len(holding) == held:
            holding.pop(0).release()
    assert count == -(-37 // batch_size)
    assert len(places) < 12  # memory is used again


def test_who_holds_more_than_agreed_is_told(paths):
    with pytest.raises(AssertionError, match='holds more batches'):
        list(ImageLoader(paths, range(37), AsIs(), 5, 0, held=2))  # releases none


@pytest.mark.parametrize('workers', [0, 2])
def test_a_preparation_of_unknown_size(paths, workers):
    batches = list(released(ImageLoader(paths, range(37), WithoutBuffer(), 6, workers, held=1)))
    images = [loaded for batch in batches for loaded in batch.images]
    assert [loaded.position for loaded in images] == list(range(37))
    for loaded in images:
        check_image(loaded)
        assert loaded.prepared.pixels.dtype == np.float32
        assert (loaded.prepared.scale, loaded.prepared.meta) == ((0.5, 2.0), {'flip': False})


@pytest.mark.parametrize('keep_images', [False, True])
@pytest.mark.parametrize('prepare', [AsIs(), WithoutBuffer()], ids=['buffer', 'without'])
@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('broken', [[], [0], [36], [3, 4, 5, 6, 7], [0, 9, 18, 27, 36], range(37)])
def test_what_cannot_be_decoded_is_named_and_disturbs_no_other(tmp_path, paths, broken, workers, prepare, keep_images):
    (tmp_path / 'text.jpg').write_text('no image')
    here = list(paths)
    for number, position in enumerate(broken):
        here[position] = str(tmp_path / ('text.jpg' if number % 2 == 0 else f'gone-{position}.jpg'))
    images = []
    for batch in released(ImageLoader(here, range(37), prepare, 5, workers, 1, keep_images)):
        for loaded in batch.images:
            images.append(loaded)
            if loaded.position in broken:
                assert here[loaded.position] in loaded.error and loaded.prepared is None
            else:
                check_image(loaded)
    assert [loaded.position for loaded in images] == list(range(37))
    for loaded in images:  # after their batches were released
        if keep_images and loaded.position not in broken:
            np.testing.assert_array_equal(loaded.image, image_of(loaded.position))
        else:
            assert loaded.image is None


def take_time(position: int) -> None:
    time.sleep(0.01)


@pytest.mark.parametrize('workers', [0, 2])
def test_the_time_of_the_processes_is_summed(paths, workers):
    loader = ImageLoader(paths, range(10), AsIs(take_time), 3, workers, held=1)
    assert (loader.decode_seconds, loader.prepare_seconds) == (0, 0)
    assert sum(len(batch.images) for batch in released(loader)) == 10
    assert loader.prepare_seconds >= 0.1  # ten sleeps
    assert loader.decode_seconds > 0


# --- processes ------------------------------------------------------------------------------------------------------


def refuse(position: int) -> None:
    if position == 20:
        raise ZeroDivisionError(f'position {position}')


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_what_cannot_be_prepared_is_named_and_disturbs_no_other(paths, workers):
    positions = []
    for batch in released(ImageLoader(paths, range(37), AsIs(refuse), 4, workers, held=1)):
        for loaded in batch.images:
            positions.append(loaded.position)
            if loaded.position != 20:
                check_image(loaded)
                continue
            assert loaded.prepared is None
            assert loaded.error == f'{paths[20]} (5 x 6 pixels) cannot be prepared for the model (position 20)'
    assert positions == list(range(37))


def be_killed(at: int, not_in: int, position: int) -> None:
    if position == at:
        assert os.getpid() != not_in
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize('at', [0, 20, 36])
@pytest.mark.parametrize('workers', [1, 3])
def test_a_killed_process_is_told_as_too_little_memory(paths, workers, at):
    die = functools.partial(be_killed, at, os.getpid())
    found: list[int] = []
    with pytest.raises(OutOfMemoryError, match='a process that reads images ahead was killed.*workers_per_gpu'):
        for batch in released(ImageLoader(paths, range(37), AsIs(die), 2, workers, held=1)):
            for loaded in batch.images:
                check_image(loaded)
                found.append(loaded.position)
    assert found == list(range(len(found))) and len(found) <= at
    assert multiprocessing.active_children() == []


def test_processes_end_after_the_last_image(paths):
    batches = released(ImageLoader(paths, range(37), AsIs(), 4, 3, held=1))
    assert max(len(multiprocessing.active_children()) for _ in batches) == 3
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize('taken', [1, 3])
def test_processes_end_when_the_rest_is_not_wanted(paths, taken):
    batches = iter(ImageLoader(paths, range(37), AsIs(), 4, 2, held=3))
    for _ in range(taken):
        next(batches)
    assert len(multiprocessing.active_children()) == 2
    batches.close()
    assert multiprocessing.active_children() == []


def test_processes_end_when_the_consumer_fails(paths):
    with pytest.raises(ZeroDivisionError) as failure:
        for _ in ImageLoader(paths, range(37), AsIs(), 4, 2, held=1):
            raise ZeroDivisionError
    del failure  # its traceback holds what was iterated over
    assert multiprocessing.active_children() == []


def test_pixels_take_nothing_of_dev_shm(paths):
    batches = iter(ImageLoader(paths, range(37), AsIs(), 4, 2, held=1))
    next(batches)
    processes = [os.getpid(), *(child.pid for child in multiprocessing.active_children())]
    maps = [line for pid in processes for line in Path(f'/proc/{pid}/maps').read_text().splitlines()]
    batches.close()
    assert len(processes) == 3
    # The locks of multiprocessing are there, a page each, under six letters where the C library is older.
    assert [line for line in maps if re.search(r'/dev/shm/(?!sem\.|\w{6} \(deleted\)$)', line)] == []


# --- in a process of any kind ---------------------------------------------------------------------------------------

LOAD = """
import multiprocessing, sys, time
sys.path.insert(0, '.')
from pathlib import Path
from executor.images.loader import ImageLoader
from tests.unit.images.test_loader import AsIs, checked

def main(out, wait, paths):
    loader = ImageLoader(paths, range(len(paths)), AsIs(), 4, 2, held=1)
    if wait:
        batches = iter(loader)
        next(batches)
        Path(out + '.new').write_text(' '.join(str(child.pid) for child in multiprocessing.active_children()))
        Path(out + '.new').rename(out)
        time.sleep(100)
    Path(out).write_text(f'{sum(map(len, checked(loader)))} images')

if __name__ == '__main__':
    sys.stdout is None or sys.stdout.write('once')  # not flushed: a forked process has it too
    main(sys.argv[1], sys.argv[2] == 'wait', sys.argv[3:])
"""


@pytest.mark.parametrize('streams', ['', '0<&-', '0<&- 1>&- 2>&-', '</dev/null >/dev/null'], ids=str)
def test_whatever_the_standard_streams_are(tmp_path, paths, streams):
    (tmp_path / 'load.py').write_text(LOAD)
    command = f'"$0" "$1" "$2" no "${{@:3}}" {streams}'
    result = tmp_path / 'result.txt'
    buffered = {name: value for name, value in os.environ.items() if name != 'PYTHONUNBUFFERED'}
    arguments = ['bash', '-c', command, sys.executable, tmp_path / 'load.py', result, *paths]
    run = subprocess.run(arguments, stdout=subprocess.PIPE, cwd=REPOSITORY, env=buffered, timeout=60, text=True)
    assert result.read_text() == '37 images'
    assert run.stdout == ('' if '>' in streams else 'once')


def test_processes_do_not_outlive_a_killed_parent(tmp_path, paths):
    (tmp_path / 'load.py').write_text(LOAD)
    result = tmp_path / 'result.txt'
    command = [sys.executable, tmp_path / 'load.py', result, 'wait', *paths]
    parent = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    try:
        wait_until(result.exists)
        children = [int(pid) for pid in result.read_text().split()]
        assert len(children) == 2 and all(alive(pid) for pid in children)
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not any(alive(pid) for pid in children))
