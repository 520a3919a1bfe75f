"""Images in memory that processes share: what is held, who sees it, when nothing is held, and that nothing stays."""

from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest

from executor.images import cache as module
from executor.images.cache import ImageCache, room_for_images
from tests.conftest import REPOSITORY

LENGTHS = [12, 30, 6]
IMAGES = [np.arange(length, dtype=np.uint8) for length in LENGTHS]


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """Free memory, in bytes, that a test may change."""
    free = [1000]
    monkeypatch.setattr(module, 'free_memory', lambda: free[0])
    return free


def filled(room: int = 10**6) -> ImageCache:
    cache = ImageCache(LENGTHS, room)
    cache.open()
    for number, image in enumerate(IMAGES):
        cache.write(number, image)
    return cache


def test_an_image_is_what_was_written():
    cache = filled()
    assert [cache.read(number).tolist() for number in range(3)] == [image.tolist() for image in IMAGES]
    assert (cache.places, cache.bytes, cache.held()) == (3, 48, (3, 48))
    assert not cache.read(0).flags.writeable


@pytest.mark.parametrize('room, places', [(0, 0), (4 + 11, 0), (4 + 12, 1), (4 + 41, 1), (4 + 42, 2), (4 + 48, 3)])
def test_as_many_have_a_place_as_there_is_room_for(room, places):
    cache = filled(room)  # beside a byte for each image and one more
    assert cache.places == cache.held()[0] == places
    assert [cache.read(number) is not None for number in range(3)] == [number < places for number in range(3)]


def test_nothing_is_held_before_it_is_open_or_where_memory_is_short(memory):
    cache = ImageCache(LENGTHS, 100)
    cache.write(0, IMAGES[0])
    cache.open()
    memory[0] = 499  # of the 1000 when it began
    cache.write(1, IMAGES[1])
    assert cache.held() == (0, 0)
    memory[0] = 500
    cache.write(1, IMAGES[1])
    assert cache.held() == (1, 30)


def test_an_image_that_does_not_fit_its_place_is_not_held():
    cache = filled()
    other = ImageCache(LENGTHS, 100)
    other.open()
    other.write(0, IMAGES[1])
    other.write(1, IMAGES[0])
    assert (other.held(), cache.held()) == ((0, 0), (3, 48))


def test_memory_that_ends_is_no_failure(monkeypatch):
    cache = ImageCache(LENGTHS, 100)
    cache.open()

    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'pwrite', fail)
    cache.write(0, IMAGES[0])
    assert cache.read(0) is None


def _write_the_last(cache: ImageCache) -> None:
    cache.write(2, IMAGES[2])


def test_a_fork_fills_it_for_all():
    cache = ImageCache(LENGTHS, 100)
    cache.open()
    process = multiprocessing.get_context('fork').Process(target=_write_the_last, args=(cache,))
    process.start()
    process.join()
    assert cache.read(2).tolist() == IMAGES[2].tolist()


def test_another_process_opens_it_and_the_last_one_frees_it():
    cache = filled()
    code = (
        'import sys; from executor.images.cache import ImageCache; '
        f'cache = ImageCache({LENGTHS}, 10**6, sys.argv[1]); print(cache.read(1).tolist(), cache.held())'
    )
    command = [sys.executable, '-c', code, cache.path]
    told = subprocess.run(command, cwd=str(REPOSITORY), stdout=subprocess.PIPE, text=True, check=True).stdout
    assert told.split('\n')[0] == f'{IMAGES[1].tolist()} (3, 48)'
    assert os.readlink(cache.path).startswith('/memfd:')  # which has no name, so nothing to leave behind


def test_half_of_the_free_memory_is_taken(memory):
    assert room_for_images() == 500
