#!/usr/bin/env bash
# What the platform runs, without arguments; by hand, start.py's own may follow.
set -euo pipefail
# The platform's paths are absolute; those of a task that `task make` made begin at the folder that holds in and out.
cd /
# In place of this shell, so that a stop reaches the task and its exit status is the container's.
exec python /opt/ymir-mmdet-code/start.py "$@"
