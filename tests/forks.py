"""Processes that a test may kill, each forked off one that has loaded everything. One list for all tests of a session:
there is one such process, and whoever asked last would decide alone what it loads."""

from __future__ import annotations

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.crashing", "tests.fix_crashing", "tests.workers", "tests.fix_machines"])
