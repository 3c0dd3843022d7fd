"""What the host of the bot sets, in the environment or in ``.env``."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, create_model, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.sampling.layers import Ceilings, Layer
from bot.sampling.parameters import CEILED, DEFAULTS, PARAMETERS
from model import SamplingParams
from model.paths import expand_home

ENV_FILE = Path(".env")

ENV_ENCODING = "utf-8-sig"
"""Of ``.env``: some editors begin a file with a mark that says that it is UTF-8."""


class _OfSongs(BaseSettings):
    @field_validator(*(f"ceiling_{name}" for name in CEILED), check_fields=False)
    @classmethod
    def _check_over_default(cls, ceiling: float | None, info: ValidationInfo) -> float | None:
        name = str(info.field_name).replace("ceiling_", "default_")
        default = info.data.get(name)
        if ceiling is not None and default is not None and default > ceiling:
            said = f"{name.upper()} is {default:g}, which is over it: lower that, or raise this"
            raise PydanticCustomError("under_default", "{said}", {"said": said})
        return ceiling

    @property
    def layer(self) -> Layer:
        """What the host set for everybody's songs."""
        defaults = {name: getattr(self, f"default_{name}", None) for name in SamplingParams.model_fields}
        return Layer(
            "host",
            SamplingParams.model_validate({name: value for name, value in defaults.items() if value is not None}),
            Ceilings.model_validate({name: getattr(self, f"ceiling_{name}") for name in CEILED}),
        )


_DEFAULTS: dict[str, Any] = {
    f"default_{each.name}": (each.annotation | None, Field(None, description=each.default)) for each in DEFAULTS
}
_CEILINGS: dict[str, Any] = {
    f"ceiling_{each.name}": (each.annotation | None, Field(None, description=each.ceiling))
    for each in PARAMETERS
    if each.ceiling
}

_Parameters = create_model("_Parameters", __base__=_OfSongs, **_DEFAULTS, **_CEILINGS)


class _Host(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_file_encoding=ENV_ENCODING, env_ignore_empty=True, extra="ignore", frozen=True
    )

    discord_token: SecretStr | None = Field(None, description="The bot's token; none starts the local preview")
    model: str | None = Field(
        None, description="Checkpoint folder or hub id; none serves checkpoints/current, else the starter"
    )
    database: Path = Field(Path("lyrics.db"), description="SQLite file of settings and history")
    max_queue: Annotated[int, Field(ge=1, le=1000)] = Field(
        50, description="How many requests may wait; more are refused"
    )
    max_batch: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="Songs written side by side; none takes 32, or as many as KV_CACHE_GB holds"
    )
    kv_cache_gb: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Memory for the songs being written, in GB; none takes half of what is free"
    )
    precision: Literal["auto", "int8", "bfloat16", "float16", "float32"] = Field(
        "auto", description="Of the weights; auto is the fastest that the machine has"
    )
    repetition_penalty_on: Literal["auto", "words", "tokens"] = Field(
        "auto", description="What the repetition penalty holds back; auto is the words, of checkpoints trained on songs"
    )
    returning_choruses: bool = Field(
        default=True, description="Whether a chorus that opens again repeats its lines, where the model learnt so"
    )
    request_timeout: Annotated[float, Field(ge=1, le=840)] = Field(
        600.0,
        description="Seconds after which a request's songs end as they stand (1 to 840: Discord waits 15 minutes)",
    )
    max_per_member: Annotated[int, Field(ge=1, le=100)] = Field(
        2, description="How many requests of one member may run and wait; more are refused"
    )
    shutdown_grace: Annotated[float, Field(ge=0, le=600)] = Field(
        20.0, description="Seconds that a running song has to end when the bot is stopped"
    )
    retention_days: Annotated[int, Field(ge=0, le=36_500)] = Field(
        0, description="Days that songs are kept, favourites excepted; 0 keeps them for ever"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What is logged")
    preview_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8765, description="Loopback port of the preview; 0 takes any free one"
    )
    preview_open: bool = Field(default=True, description="Whether the preview opens in a browser, at a desktop")
    server_grace_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        30, description="Days after which the settings of a server that removed the bot are deleted"
    )

    @property
    def database_file(self) -> Path:
        """The database that is opened: the preview is another world with ids of its own, so its history lies apart."""
        path = expand_home(self.database)
        return path if self.discord_token or path.is_dir() else path.with_suffix(".preview.db")

    @property
    def server_grace(self) -> timedelta:
        """For how long the settings of a server that removed the bot are kept."""
        return timedelta(days=self.server_grace_days)


class Config(_Parameters, _Host):
    """The host's settings; each field is an environment variable of the same name in capitals.

    Raises:
        pydantic.ValidationError: On construction, listing every bad value at once.
    """
