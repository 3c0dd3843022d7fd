"""Holds what the bot sends against Discord's own OpenAPI description."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from simcord import HttpLogEntry

SPEC = Path(__file__).parents[3] / "shared/discord/openapi.json"
"""Beside the checkout, since the file is Discord's and large."""

needs_spec = pytest.mark.skipif(not SPEC.is_file(), reason=f"Discord's OpenAPI file is not at {SPEC}")


def violations(request: HttpLogEntry) -> list[str]:
    """Return what Discord would refuse in a request; nothing where its description is not here."""
    if not SPEC.is_file():
        return []
    validator = _validator(request.method.lower(), _template(request.method, request.path))
    if validator is None:
        return []
    called = f"{request.method} {request.path}"
    body = _with_file_ids(request.json)
    return [f"{called}: {error.json_path} {error.message[:300]}" for error in validator.iter_errors(body)]


def _with_file_ids(body: Any) -> Any:
    """Write the ids of new files as strings: discord.py counts them in numbers, as Discord's own guide does."""
    if isinstance(body, list):
        return [_with_file_ids(item) for item in body]
    if not isinstance(body, dict):
        return body
    made = {name: _with_file_ids(value) for name, value in body.items()}
    for file in made.get("attachments", ()):
        file["id"] = str(file["id"])
    return made


@cache
def _spec() -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
    return spec


def _template(method: str, path: str) -> str:
    """Return the path of the description that matches best: a literal part counts more than a placeholder."""
    parts = re.sub(r"^/api/v\d+", "", path.partition("?")[0]).split("/")
    matches: list[tuple[int, str]] = []
    for template, operations in _spec()["paths"].items():
        names = template.split("/")
        if method.lower() in operations and len(names) == len(parts):
            same = [name == part for name, part in zip(names, parts, strict=True)]
            if all(equal or name.startswith("{") for equal, name in zip(same, names, strict=True)):
                matches.append((sum(same), template))
    assert matches, f"Discord has no {method} {path}"
    return max(matches)[1]


@cache
def _validator(method: str, template: str) -> Any | None:
    body = _spec()["paths"][template][method].get("requestBody")
    if body is None:
        return None
    schema = body["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": _spec()["components"]})
