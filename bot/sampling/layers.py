"""Settings in layers: a member's own before the server's, those before the host's, those before the model's.

The server and the host also set ceilings, which nobody inside of them gets over. Nothing here talks to Discord or
to the store.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model

from bot.sampling.parameters import PARAMETERS
from model import LyricsError, SamplingParams

Source = Literal["member", "server", "host", "model"]
"""Where a value comes from; the model's are the defaults of ``SamplingParams``."""

WHOSE: dict[Source, str] = {
    "member": "yours",
    "server": "this server's",
    "host": "the host's",
    "model": "the model's",
}
"""How a source is called."""


class OverCeiling(LyricsError):  # noqa: N818 - named for what happened, as the model's errors are
    """A value is over a ceiling."""


class _NoCeilings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


_FIELDS: dict[str, Any] = {each.name: (each.annotation | None, None) for each in PARAMETERS if each.ceiling}

_Ceilings = create_model("_Ceilings", __base__=_NoCeilings, **_FIELDS)


class Ceilings(_Ceilings):
    """The most that may be asked for; none where a parameter has no ceiling but its bounds.

    Raises:
        pydantic.ValidationError: On construction, listing every value that is out of the parameter's bounds.
    """

    def __init__(self, **most: float | None) -> None:
        super().__init__(**most)


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source sets; of ``params``, only the values that were given count."""

    source: Source
    params: SamplingParams = field(default_factory=SamplingParams)
    ceilings: Ceilings = field(default_factory=Ceilings)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The lowest ceiling over a parameter."""

    value: float
    source: Source


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter's value where somebody is, and where it comes from."""

    value: float | None
    source: Source
    ceiling: Ceiling | None
    over: float | None = None
    """What the source says, where that is over the ceiling and ``value`` is held at it."""


class EffectiveSettings(dict[str, Setting]):
    """Every parameter's setting by its name."""

    @property
    def sampling(self) -> SamplingParams:
        """The values alone."""
        return SamplingParams.model_validate({name: setting.value for name, setting in self.items()})

    def this_time(self, **values: float | None) -> SamplingParams:
        """Return the values with others in their place; ``None`` leaves one as it is.

        Raises:
            OverCeiling: Where one is over a ceiling.
        """
        given = {name: value for name, value in values.items() if value is not None}
        self.check(**given)
        return self.sampling.model_copy(update=given)

    def check(self, **values: float) -> None:
        """Raise ``OverCeiling`` where a value is over its parameter's ceiling."""
        for name, value in values.items():
            ceiling = self[name].ceiling
            if ceiling is not None and value > ceiling.value:
                raise OverCeiling(
                    f"**{name}** goes up to **{ceiling.value:g}** here, which is {WHOSE[ceiling.source]} ceiling: "
                    f"{value:g} is over it."
                )

    def hold(self, sampling: SamplingParams) -> SamplingParams:
        """Return other values, say an older song's, with those that are over a ceiling brought down to it."""
        held = {
            name: setting.ceiling.value
            for name, setting in self.items()
            if setting.ceiling is not None and getattr(sampling, name) > setting.ceiling.value
        }
        return sampling.model_copy(update=held)


def resolve(*layers: Layer) -> EffectiveSettings:
    """Return what applies under layers, of which an earlier one goes before a later one.

    The model's defaults stand behind them all. The lowest ceiling counts, whichever layer it is of.
    """
    card = Layer("model", SamplingParams.model_validate(SamplingParams().model_dump()))
    return EffectiveSettings((name, _setting(name, (*layers, card))) for name in SamplingParams.model_fields)


def _setting(name: str, layers: tuple[Layer, ...]) -> Setting:
    layer = next(layer for layer in layers if name in layer.params.model_fields_set)
    value = getattr(layer.params, name)
    # Of equal ones, the outermost is named, since it stays when the other is lifted.
    ceiling = min(_ceilings(name, reversed(layers)), key=lambda ceiling: ceiling.value, default=None)
    if ceiling is not None and value > ceiling.value:
        return Setting(ceiling.value, layer.source, ceiling, over=value)
    return Setting(value, layer.source, ceiling)


def _ceilings(name: str, layers: Iterator[Layer]) -> Iterator[Ceiling]:
    for layer in layers:
        value = getattr(layer.ceilings, name, None)
        if value is not None:
            yield Ceiling(value, layer.source)
