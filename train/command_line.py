"""Makes a command line of pydantic models: click takes the arguments apart, and pydantic says what is wrong with them.

A field is an option, or an argument where ``ARGUMENT`` stands in its annotation. What click hands over is the text as
it was typed, so that a file may be called ``true``, ``2024`` or ``a, b [c].txt``.
"""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ARGUMENT = object()
"""Marks a field that stands on the command line without its name; the order is that of the fields."""

_WIDTH = 110


class _Group(click.Group):
    """Lists its commands in the order in which they were added."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(self.commands)


def parse(
    program: str, about: str, commands: Mapping[str, type[BaseModel]], arguments: Sequence[str]
) -> BaseModel | int:
    """Return the settings of the command that the arguments name, or an exit code where all is said and done.

    Args:
        program: What the help calls the program.
        about: The line above the list of commands.
        commands: The settings of each command, by its name.
        arguments: What stands behind the program's name.

    Raises:
        pydantic.ValidationError: Listing every bad value at once.
    """
    group = _Group(
        help=about,
        commands=[_command(name, settings) for name, settings in commands.items()],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _WIDTH},
    )
    try:
        result = group.main(list(arguments), program, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return result if isinstance(result, BaseModel) else int(result or 0)


def _command(name: str, settings: type[BaseModel]) -> click.Command:
    def read(**given: Any) -> BaseModel:
        return settings.model_validate({key: value for key, value in given.items() if value not in (None, ())})

    described = inspect.cleandoc(settings.__doc__ or "")
    return click.Command(
        name,
        callback=read,
        help=described,
        short_help=described.partition("\n")[0],
        params=[_parameter(key, field) for key, field in settings.model_fields.items()],
    )


def _parameter(key: str, field: FieldInfo) -> click.Parameter:
    """Return the option or the argument of a field; pydantic knows it by its alias, where it has one."""
    kind = _plain(field.annotation)
    many = get_origin(kind) is tuple
    key, described = field.alias or key, f"{field.description}{_default(field)}"
    if ARGUMENT in field.metadata:
        return click.Argument([key], nargs=-1 if many else 1, required=True, help=described)
    option = f"--{key.replace('_', '-')}"
    if kind is bool:
        return click.Option([f"{option}/--no-{option[2:]}", key], default=None, help=described)
    metavar = _metavar(key, get_args(kind)[0] if many else kind)
    return click.Option([option, key], multiple=many, metavar=metavar, help=described)


def _default(field: FieldInfo) -> str:
    """Return what the help says at the end of an option's line."""
    if field.is_required():
        return "" if ARGUMENT in field.metadata else "  [required]"
    if field.default is True:
        return "  [default: on]"
    is_nothing = field.default is None or field.default is False or field.default in ((), "")
    return "" if is_nothing else f"  [default: {field.default}]"


def _plain(annotation: Any) -> Any:
    """Return the type that an annotation stands for, without bounds and without None."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    some = [each for each in get_args(annotation) if each is not type(None)]
    is_optional = type(None) in get_args(annotation)
    return _plain(some[0]) if is_optional else annotation


def _metavar(key: str, kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    names = {int: "N", float: "NUMBER", Path: "FOLDER"}
    return names.get(kind, key.rpartition("_")[2].upper())
