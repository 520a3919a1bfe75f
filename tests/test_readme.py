"""What README.md says exists."""

from __future__ import annotations

import re


def test_every_path_of_the_rooms_table_exists(repository):
    table = (repository / 'README.md').read_text(encoding='utf-8').split('## Where to find what')[1]
    rooms = re.findall(r'^\| `([^`]+)` \|', table, re.M)
    assert len(rooms) > 8
    assert [room for room in rooms if not (repository / room).exists()] == []


def test_every_make_command_exists(repository):
    readme = (repository / 'README.md').read_text(encoding='utf-8')
    targets = re.findall(r'^([a-z-]+):', (repository / 'Makefile').read_text(encoding='utf-8'), re.M)
    told = re.findall(r'make ([a-z-]+)', readme)
    assert told and set(told) <= set(targets)
