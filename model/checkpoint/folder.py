"""The checkpoint folder: what is in it, which one is served, and how a new one appears.

A checkpoint is a folder that transformers loads as it is (``config.json``, safetensors weights, tokenizer
files, ``generation_config.json``) with ``lyrics.json`` beside them. Nothing here needs torch.
"""

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError
from safetensors import SafetensorError, safe_open

from model.checkpoint import advice
from model.checkpoint.bundled import BUNDLED, open_bundled
from model.errors import CheckpointError, describe_violations
from model.paths import expand_home

METADATA_FILE = "lyrics.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
CURRENT = Path("checkpoints/current")
STARTER = Path(__file__).parents[1] / "starter"

HUB_ID = re.compile(r"(?:(?P<owner>[\w-][\w.-]*)/)?[\w-][\w.-]*")
"""What may be sought on the hub; data sets and most models there have an owner."""

_HUB_FILES = ["*.json", "model.safetensors", "model-*-of-*.safetensors", "adapter_model.safetensors", "merges.txt"]
_NO_HUB_FILES = ["*/*"]
"""Folders in a repository hold other formats, and what was saved on the way; a pattern's star crosses slashes."""
_WHERE = "(MODEL for the bot, --base for training)"
_TOKENIZER_FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"))


class Metadata(BaseModel):
    """What ``lyrics.json`` says of a checkpoint; checkpoints from elsewhere have none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    base: str = Field(description="What the weights started from: a hub id, a checkpoint's name or 'scratch'")
    data_fingerprint: str = Field(description="SHA-256 of the training text")
    training: dict[str, JsonValue] = Field(description="Every training setting, as it was used")
    evaluation: dict[str, float] = Field(description="Measurements on held-out songs")
    header_fields: tuple[str, ...] = Field(description="The header fields that the training songs had")
    header_values: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="The most common values of each header field but the title"
    )
    opening_tag: str | None = Field(None, description="The section tag that most training songs open with, if any")
    penalizes: Literal["tokens", "words"] = Field(
        "tokens",
        description="What the repetition penalty holds back: any token, as in transformers, or the lyric's words alone",
    )
    choruses_return: bool = Field(default=False, description="Whether a chorus that opens again repeats its lines")
    has_stanzas: bool = Field(default=False, description="Whether a song may end where its next stanza does not fit")
    unit: Literal["song", "stanza", "line"] = Field(
        "song", description="What one training sample was; of lines, songs are made line by line"
    )
    created: AwareDatetime


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint folder whose files are all there."""

    name: str
    path: Path
    metadata: Metadata | None
    base: "Checkpoint | None" = None
    """What its weights are to be added to, where they are an adapter's."""

    @property
    def weights(self) -> "Checkpoint":
        """The checkpoint that has whole weights, and says of what architecture they are: itself, or its base."""
        return self if self.base is None else self.base.weights

    def read_config(self) -> dict[str, Any]:
        """Return what ``config.json`` says of the weights, with the tokens that an adapter has added.

        Raises:
            ValueError: Where it is no JSON.
        """
        config: dict[str, Any] = json.loads((self.weights.path / "config.json").read_bytes())
        vocabulary = None if self.base is None else saved_vocabulary(self.path)
        return config if vocabulary is None else config | {"vocab_size": vocabulary}

    @property
    def header_fields(self) -> tuple[str, ...]:
        """The header fields that the model understands; none of a checkpoint that does not say."""
        return self.metadata.header_fields if self.metadata else ()

    def header_values(self, name: str) -> tuple[str, ...]:
        """Return common values of a header field, the most common first; none where the checkpoint does not say."""
        return self.metadata.header_values.get(name, ()) if self.metadata else ()

    @property
    def opening_tag(self) -> str | None:
        """The section tag that a lyric opens with, for this model; none of a checkpoint that does not say."""
        return self.metadata.opening_tag if self.metadata else None

    @classmethod
    def open(cls, source: str | Path) -> Self:
        """Check the folder, or download the hub id, named by ``source``; blocks on disk and network.

        Raises:
            CheckpointError: Where a file is missing or damaged, or the hub cannot be reached.
        """
        path, name = expand_home(source), str(source)
        if name == BUNDLED:
            path = open_bundled()
        elif path.is_dir():
            path = path.resolve()
            name = path.name
        # A link whose folder is gone, and any path that the code itself names, is never sought on the hub.
        elif isinstance(source, Path) or os.path.lexists(path) or not HUB_ID.fullmatch(name):
            raise CheckpointError(f"There is no checkpoint folder at {name!r}: name a folder or a hub id {_WHERE}.")
        else:
            path = download(name, _HUB_FILES)
            if not any(path.glob("*.safetensors")):
                raise CheckpointError(advice.on_hub_without_weights(name))
        base = _base_of(path)
        if base is None:
            _check_files(path)
            return cls(name, path, _read_metadata(path))
        _names_in(path / ADAPTER_WEIGHTS)
        return cls(name, path, _read_metadata(path), cls.open(base))


def locate(model: str | None, current: Path = CURRENT) -> str | Path:
    """Return what is to be served: ``model`` if it is set, else ``checkpoints/current``, else the starter."""
    if model:
        return model
    return current if os.path.lexists(current) else STARTER


def point_current(path: Path, current: Path = CURRENT) -> None:
    """Make ``current`` a link to the checkpoint at ``path``, in one step.

    Raises:
        CheckpointError: Where something that is no link stands there, or the system allows no links.
    """
    if os.path.lexists(current) and not current.is_symlink():
        raise CheckpointError(f"{current} is not a link: move it away, then point it at {path} again.")
    current.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=current.parent, prefix=".current-") as scratch:
        link = Path(scratch, current.name)
        try:
            link.symlink_to(os.path.relpath(path, current.parent), target_is_directory=True)
        except OSError as error:
            raise CheckpointError(
                f"{current} could not be linked to {path} ({error}): set MODEL={path} instead."
            ) from error
        link.replace(current)


def download(name: str, patterns: list[str]) -> Path:
    """Return the local folder of the hub repository ``name``, with its files of these patterns.

    Raises:
        CheckpointError: Where it cannot be reached.
    """
    # huggingface_hub takes a quarter of a second to import, which a local checkpoint need not wait for.
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(snapshot_download(name, allow_patterns=patterns, ignore_patterns=_NO_HUB_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"{name!r} is no folder here, and the model hub did not give it ({type(error).__name__}): "
            f"check the name and the network, or name a checkpoint folder, or {BUNDLED}, a model in a package {_WHERE}."
        ) from error


def _check_files(path: Path) -> None:
    """Raise ``CheckpointError`` unless every file that the checkpoint needs is there and whole."""
    if not (path / "config.json").is_file():
        raise CheckpointError(advice.without_config(path))
    names = [name for weights in weight_files(path) for name in _names_in(weights)]
    if wrong := advice.of_names(path, names):
        raise CheckpointError(wrong)
    if not any(all((path / name).is_file() for name in names) for names in _TOKENIZER_FILES):
        raise CheckpointError(advice.without_tokenizer(path))


def _names_in(weights: Path) -> list[str]:
    """Return the names of the tensors in a file of weights, whose header is held against its length."""
    try:
        with safe_open(weights, framework="numpy") as file:
            return list(file.keys())
    except (SafetensorError, OSError) as error:
        raise CheckpointError(advice.of_unreadable_weights(weights, error)) from error


def _base_of(path: Path) -> str | Path | None:
    """Return what the adapter in a folder is to be added to, a folder also as seen from there; none of no adapter."""
    file = path / ADAPTER_CONFIG
    if not file.is_file() or (path / "config.json").is_file():
        return None
    try:
        base = str(json.loads(file.read_bytes())["base_model_name_or_path"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} does not say what its base is ({error}): copy the folder again.") from error
    beside = path / base
    return beside if not Path(base).is_dir() and beside.is_dir() else base


def saved_vocabulary(path: Path) -> int | None:
    """Return how many tokens an adapter has embeddings of, where it brings them whole."""
    with safe_open(path / ADAPTER_WEIGHTS, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            if name.endswith(("embed_tokens.weight", "wte.weight")):
                return int(file.get_slice(name).get_shape()[0])
    return None


def weight_files(path: Path) -> list[Path]:
    """Return the safetensors files of a checkpoint: the one file, else the shards of the index.

    Where both are there, it is the one file, as in transformers, which leaves an index behind when it saves a small
    model where a large one was.
    """
    weights = path / "model.safetensors"
    if weights.is_file():
        return [weights]
    index = path / "model.safetensors.index.json"
    if not index.is_file():
        raise CheckpointError(advice.without_weights(path))
    try:
        shards = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} is damaged ({error}): copy the file again.") from error
    return [path / shard for shard in sorted(set(shards))]


def _read_metadata(path: Path) -> Metadata | None:
    file = path / METADATA_FILE
    if not file.is_file():
        return None
    try:
        return Metadata.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise CheckpointError(
            f"{file} is damaged or of a newer version: copy it again or update the bot.\n{describe_violations(error)}"
        ) from error
