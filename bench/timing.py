"""Timing a command with everything that it starts, and looking at a process that goes on."""

import dataclasses
import os
import pathlib
import statistics
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


def cpu_seconds(pid):
    """Of a process so far, without its children."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid):
    """Of all its threads."""
    found = []
    for tasks in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, tasks.read_text().split())
        except OSError:  # the thread has ended
            pass
    return found


def memory_kib(pid, field="VmRSS"):
    """VmRSS: what is resident; VmHWM: the most that was. 0 of a process that has ended."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field + ":")), 0)


def of_medians(ours, theirs):
    """The ratio of the medians, and behind it the least and the greatest of the rounds."""
    rounds = sorted(a / b for a, b in zip(ours, theirs))
    return f"{statistics.median(ours) / statistics.median(theirs):.2f} ({rounds[0]:.2f} to {rounds[-1]:.2f})"
