"""The rules of the house: who may import what, how large a room may be, and that the README tells the truth."""

import ast
import re
from pathlib import Path

import pytest

from bot.config import Config
from model import SamplingParams

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("bot", "model", "train", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("bot", {"torch", "transformers", "train"}),
        ("model", {"discord", "bot", "train"}),
        ("train", {"discord", "bot"}),
    ],
)
def test_arrows_run_one_way(folder: str, forbidden: set[str]) -> None:
    wrong = {path.name: both for path in (ROOT / folder).rglob("*.py") if (both := imported(path) & forbidden)}
    assert not wrong


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_over_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_the_bot_begins_what_it_does_by_itself_in_one_place() -> None:
    loops = {path.name for path in (ROOT / "bot").rglob("*.py") if "tasks.loop" in path.read_text(encoding="utf-8")}
    assert loops == {"daily.py"}


def readme_table(heading: str) -> dict[str, str]:
    """Return the first two columns of the table under a heading of the README."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return {
        name: default.strip("` ")
        for name, default in re.findall(r"^\| `(\w+)` \|([^|]*)\|", section, flags=re.MULTILINE)
    }


def test_the_readme_has_every_setting_of_the_host_with_its_default() -> None:
    assert readme_table("Settings of the host") == {
        name.upper(): "" if field.default is None else str(field.default) for name, field in Config.model_fields.items()
    }


def test_the_readme_has_every_setting_of_a_member_with_its_default() -> None:
    assert readme_table("What members can set") == {
        name: "a new one" if field.default is None else str(field.default)
        for name, field in SamplingParams.model_fields.items()
    }


def test_the_constraints_name_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line) for line in lines)
    assert "torch==2.13.0" in lines
