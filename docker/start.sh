#!/usr/bin/env bash
# What the platform runs, without arguments; by hand, start.py's own may follow.
set -euo pipefail
# In place of this shell, so that a stop reaches the task and its exit status is the container's.
cd /opt/ymir-mmdet-code
exec python start.py "$@"
