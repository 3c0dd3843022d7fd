"""What the machine has to give: cores and memory."""

import os
from pathlib import Path

import psutil
import torch

_CGROUP = Path("/sys/fs/cgroup")
"""Where a container says what it may take."""


def use_threads() -> None:
    """Leave a core to the rest of the machine, unless ``OMP_NUM_THREADS`` says otherwise.

    With a thread on every core, any other load makes all of them wait for the slowest.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, count_cores() - 1))


def count_cores(cgroup: Path = _CGROUP) -> int:
    """Return the cores that this process may run on: fewer than the machine has where a container says so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cgroup / "cpu.max"  # microseconds of processor time in a period, and the period
    if limit.is_file() and (quota := limit.read_text().split())[0] != "max":
        cores = min(cores, max(1, int(quota[0]) // int(quota[1])))
    return cores


def free_memory(device: torch.device, cgroup: Path = _CGROUP) -> int:
    """Return the bytes that this process may still take: what the device has, or less where a container says so."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free: int = psutil.virtual_memory().available
    limit, used = cgroup / "memory.max", cgroup / "memory.current"
    if limit.is_file() and used.is_file() and (most := limit.read_text().strip()) != "max":
        free = min(free, max(0, int(most) - int(used.read_text())))
    return free
