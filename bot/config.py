"""What the host of the bot sets, in the environment or in ``.env``."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Config(BaseSettings):
    """The host's settings; each field is an environment variable of the same name in capitals.

    Raises:
        pydantic.ValidationError: On construction, listing every bad value at once.
    """

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

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
