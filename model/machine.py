"""What the machine has to give: cores and memory."""

import os
from pathlib import Path

import psutil
import torch


def use_threads() -> None:
    """Leave a core to the rest of the machine, unless ``OMP_NUM_THREADS`` says otherwise.

    With a thread on every core, any other load makes all of them wait for the slowest.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) - 1))


def free_memory(device: torch.device) -> int:
    """Return the bytes that this process may still take: what the device has, or less where a container says so."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free: int = psutil.virtual_memory().available
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and (most := limit.read_text().strip()) != "max":
        free = min(free, max(0, int(most) - int(used.read_text())))
    return free
