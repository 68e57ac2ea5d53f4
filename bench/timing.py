"""Timing a command with everything that it starts."""

import dataclasses
import os
import subprocess
import sys
import time


@dataclasses.dataclass
class Timing:
    wall: float  # seconds
    cpu: float  # seconds, user and kernel, of the command and all its children
    peak: int  # KiB resident, of the largest of them


def timed(command, stdin=None, stdout=None):
    """Ends the benchmark if the command fails."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdin=stdin, stdout=stdout)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} ended with {process.returncode}")
    return Timing(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
