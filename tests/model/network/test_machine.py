import os
from pathlib import Path

import psutil
import pytest

from model.checkpoint.weights import CPU
from model.network.machine import count_cores, free_memory


@pytest.mark.parametrize(
    ("quota", "cores"), [(None, 8), ("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8)]
)
def test_a_container_s_share_of_the_cores_counts(
    quota: str | None, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    if quota:
        (tmp_path / "cpu.max").write_text(quota + "\n")
    assert count_cores(tmp_path) == cores


@pytest.mark.parametrize(("limit", "free"), [("max", None), ("5000", 3000), ("1000", 0)])
def test_a_container_s_share_of_the_memory_counts(limit: str, free: int | None, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text("2000\n")
    found = free_memory(CPU, tmp_path)
    assert found == free or (free is None and 10**6 < found <= psutil.virtual_memory().total)
