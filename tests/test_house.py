"""The rules of the house: who may import what, how large a room may be, and that the README tells the truth."""

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from bot.config import Config
from model import SamplingParams

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "model", "train")
SOURCES = sorted(path for folder in (*PACKAGES, "benchmarks") for path in (ROOT / folder).rglob("*.py"))
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES}

MAX_MODULES = 12
"""Of a folder."""


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


def imported_at_start(node: ast.AST) -> Iterator[str]:
    """Yield the project's modules that a file imports before anything in it is called, for types alone or not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ImportFrom) and child.module:
            names = {f"{child.module}.{alias.name}" for alias in child.names} | {child.module}
            # What is imported from a package is a module of it where there is one of that name.
            yield from names & MODULES.keys() - ({child.module} if len(names & MODULES.keys()) > 1 else set())
        elif isinstance(child, ast.Import):
            yield from {alias.name for alias in child.names} & MODULES.keys()
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imported_at_start(child)


def room(name: str) -> str:
    """Return the folder that a module is in, or of one that stands beside the folders, itself."""
    depth = 3 if name.startswith("bot.features.") else 2
    return ".".join(name.split(".")[:depth])


def check_no_circle(graph: Mapping[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_modules_and_no_rooms_import_each_other_in_a_circle() -> None:
    graph = {
        name: set(imported_at_start(ast.parse(path.read_text(encoding="utf-8")))) - {name}
        for name, path in MODULES.items()
    }
    check_no_circle(graph)
    rooms: dict[str, set[str]] = {}
    for name, imports in graph.items():
        rooms.setdefault(room(name), set()).update({room(other) for other in imports} - {room(name)})
    check_no_circle(rooms)


def test_no_folder_has_over_twelve_modules() -> None:
    folders = {path.parent for path in SOURCES}
    sizes = {str(folder): sum(path.name != "__init__.py" for path in folder.glob("*.py")) for folder in folders}
    assert {folder: size for folder, size in sizes.items() if size > MAX_MODULES} == {}


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


def test_the_readmes_table_of_rooms_has_every_room_and_nothing_else() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n| Room |")[2].partition("\n\n")[0]
    named = {name for row in section.splitlines() for name in re.findall(r"`([\w./]+)`", row.split("|")[1])}
    assert [name for name in named if not (ROOT / name).exists()] == []
    folders = {path.parent.relative_to(ROOT).as_posix() for path in SOURCES}
    rooms = {f"{folder}/" for folder in folders if folder.count("/") == 1 and folder.partition("/")[0] in PACKAGES}
    assert sorted(rooms - named) == []


def test_the_constraints_name_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line) for line in lines)
    assert "torch==2.13.0" in lines
