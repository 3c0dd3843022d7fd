"""The settings of a training run, as the command line takes them; the defaults are GPT-2's usual recipe."""

import codecs
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from model.paths import expand_home
from train.command_line import ARGUMENT
from train.conditions import Condition

TrainingPrecision = Literal["auto", "fp32", "fp16", "bf16"]
Unit = Literal["auto", "song", "stanza", "line"]


def _refuse_empty(name: str) -> str:
    if not name.strip():
        raise ValueError("a name is empty: name a file, a folder or a dataset")
    return name


Name = Annotated[str, AfterValidator(_refuse_empty)]
"""What is named on the command line, just as it was typed."""

Folder = Annotated[Path, AfterValidator(expand_home)]
"""A folder of this machine; ``~`` is the home folder, be it behind ``--output=`` where no shell opens it."""

SCRATCH_ONLY = {"n_layer", "n_head", "n_embd", "n_positions", "vocab_size"}
"""The settings that a base brings itself."""


def partial_folder(output: Path) -> Path:
    """Return where a run lies before it is finished, and what is left to clear away when it is there afterwards."""
    return output.with_name(f"{output.name}.partial")


class DataConfig(BaseModel):
    """Which songs, and how they are read; every command that reads songs takes these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Annotated[tuple[Name, ...], ARGUMENT] = Field(
        min_length=1,
        description="Songs: text files, folders of them, tables, JSON, LRC (packed or not), hub dataset ids",
    )
    unit: Unit = Field(
        "auto",
        description="What one sample is; auto is song, or stanza or line of a long text without separators",
    )
    text_column: str | None = Field(None, description="Column of the lyrics, where its name is not recognised")
    title_column: str | None = Field(None, description="Column of the titles")
    genre_column: str | None = Field(None, description="Column of the genres")
    mood_column: str | None = Field(None, description="Column of the moods")
    theme_column: str | None = Field(None, description="Column of the themes")
    artist_column: str | None = Field(None, description="Column of the artists")
    where: tuple[str, ...] = Field(
        (), description="Learn only the rows of tables that meet this, say 'language=en' or 'views>=1000'; repeatable"
    )
    min_rhyme: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="Learn only songs of whose lines at least this share rhyme"
    )
    encoding: str | None = Field(
        None, description="Encoding of the files that are not Unicode, say mac_roman; without it, it is guessed"
    )
    separator: str | None = Field(
        None, min_length=1, description="Line that stands between the songs of a text file, where it is an unusual one"
    )
    clean: bool = Field(
        default=True, description="Take out what was surely never sung: times, chords, HTML, what sites put around"
    )
    workers: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Processes that tokenize; the default is one, and one a core over 5,000 samples"
    )

    @field_validator("data", mode="before")
    @classmethod
    def _wrap_one(cls, data: object) -> object:
        return (str(data),) if isinstance(data, str | Path) else data

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, encoding: str | None) -> str | None:
        if encoding is None:
            return None
        try:
            b"".decode(encoding)
            return codecs.lookup(encoding).name
        except LookupError as error:
            raise ValueError(f"there is no encoding '{encoding}': say cp1252, mac_roman or shift_jis") from error

    @field_validator("separator")
    @classmethod
    def _strip_separator(cls, separator: str | None) -> str | None:
        return separator and (separator.strip() or separator)

    @field_validator("where")
    @classmethod
    def _check_conditions(cls, where: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Condition.parse(text)) for text in where)


class CheckConfig(DataConfig):
    """Show what would be learnt, and what would not.

    Every problem stands there with its file and line. Nothing is written but the cache.
    """

    base: str = Field(
        "openai-community/gpt2", description="Checkpoint folder or hub id whose tokenizer counts the tokens"
    )


class ConvertConfig(BaseModel):
    """Make safetensors of a checkpoint's other weights.

    Those are, say, in pytorch_model.bin; the bot and training then read it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Annotated[Name, ARGUMENT] = Field(description="Checkpoint folder, or a hub id together with --output")
    output: Folder | None = Field(None, description="Folder to write to; must be new. The default is the folder itself")


class FitConfig(DataConfig):
    """Fine-tune a GPT-2 on songs.

    The checkpoint that it writes is what the bot serves from its next start, where it is of use.
    """

    output: Folder = Field(description="Folder to write the checkpoint to, say checkpoints/NAME; must be new")
    base: str = Field("openai-community/gpt2", description="Checkpoint folder or hub id to start from")
    from_scratch: bool = Field(
        default=False,
        description="Start from random weights and a tokenizer of the data's own instead of --base",
    )

    resume: bool = Field(default=False, description="Go on with the run that was interrupted on its way to --output")
    progress: Literal["bar", "json", "none"] = Field(
        "bar", description="A bar on stderr, or a JSON object a line on stdout for a program that follows"
    )
    log_steps: Annotated[int, Field(ge=1)] = Field(25, description="Steps between two reports of the training loss")

    batch_size: Annotated[int, Field(ge=1)] = Field(
        2, description="Songs in a training step, over all its passes and all processes"
    )
    gradient_accumulation: Annotated[int, Field(ge=1)] = Field(
        1, description="Passes that a step is computed in, to save memory; the result is the same"
    )
    step_tokens: Annotated[int, Field(ge=0)] = Field(
        192,
        description="Short samples, say lines, fill a step up to these tokens, at a learning rate that rises with "
        "their number; 0 leaves --batch-size as it is",
    )
    batching: Literal["auto", "group", "pack"] = Field(
        "auto",
        description="group puts songs of like length side by side, pack fills rows with whole songs; "
        "auto packs where short samples fill a step",
    )
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="muon learns from fewer songs where a model starts from random weights"
    )
    epochs: Annotated[float, Field(gt=0)] = Field(5, description="Passes over the songs")
    learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Peak learning rate; the default is 5e-5, and 5e-4 with LoRA"
    )
    lr_scheduler: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        "linear", description="How the learning rate falls after the warm-up"
    )
    warmup_steps: Annotated[int, Field(ge=0)] = Field(0, description="Steps until the learning rate peaks")
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="The same as a share of all steps; give one of the two"
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="AdamW's weight decay")
    z_loss: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Weight of a term that keeps logits near log probabilities, so that the penalty is milder"
    )
    max_grad_norm: Annotated[float, Field(ge=0)] = Field(1.0, description="Clip gradients to this norm; 0 never clips")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="Dropout while training")
    precision: TrainingPrecision = Field(
        "auto", description="auto is bf16 where the GPU has it, fp16 on any other, fp32 on a CPU"
    )
    compile: bool = Field(
        default=False,
        description="Compile the model with torch.compile: slow to start, then faster; needs a C++ compiler",
    )
    activation_checkpointing: bool = Field(
        default=False, description="Compute activations twice instead of keeping them: slower, much less memory"
    )
    eval_steps: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Steps between two evaluations, each of which saves; without it, once an epoch"
    )
    patience: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Stop after this many evaluations in a row without a better validation loss"
    )
    lora_rank: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="Train LoRA adapters of this rank and merge them when saving; 0 trains all weights; the default is "
        "32 where a Llama is trained on a CPU, else 0",
    )
    keep_adapter: bool = Field(
        default=False, description="Save LoRA's adapters by themselves, a few megabytes that need the base beside them"
    )
    lora_alpha: Annotated[float, Field(gt=0)] = Field(32, description="LoRA's scale, divided by its rank")
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="Share of the songs held out to measure the validation loss"
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(42, description="Seed of the split and of training")
    samples: Annotated[int, Field(ge=0, le=1000)] = Field(
        20, description="Songs to write when the checkpoint is measured; 0 measures loss and perplexity alone"
    )
    save_dtype: Literal["float32", "float16"] = Field("float32", description="Precision of the saved weights")

    n_layer: Annotated[int, Field(ge=1)] = Field(12, description="Layers, from scratch only")
    n_head: Annotated[int, Field(ge=1)] = Field(12, description="Attention heads, from scratch only")
    n_embd: Annotated[int, Field(ge=1)] = Field(768, description="Width, from scratch only")
    n_positions: Annotated[int, Field(ge=8)] = Field(1024, description="Context in tokens, from scratch only")
    vocab_size: Annotated[int, Field(ge=300)] = Field(50_257, description="Tokens, from scratch only")

    @field_validator("output")
    @classmethod
    def _check_new(cls, output: Path) -> Path:
        # With a partial folder beside it, it is the end of a run that was killed: --resume has little left to do.
        if output.exists() and not partial_folder(output).exists():
            raise ValueError("this folder is there already: name a new one or move it away")
        return output

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        problems = []
        if self.n_embd % self.n_head:
            problems.append(f"--n-embd ({self.n_embd}) must be a multiple of --n-head ({self.n_head})")
        if self.warmup_steps and self.warmup_ratio:
            problems.append("give --warmup-steps or --warmup-ratio, not both")
        if self.keep_adapter and self.lora_rank == 0:
            problems.append("--keep-adapter keeps what --lora-rank trains, so let that be 1 or more")
        if (self.lora_rank or self.keep_adapter) and self.from_scratch:
            problems.append("LoRA adapts a base, so leave out --from-scratch")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class UseConfig(BaseModel):
    """Have the bot serve a checkpoint from its next start.

    Say an earlier one, or one that fit would not have it serve.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: Annotated[Folder, ARGUMENT] = Field(description="Its folder; checkpoints/current then points there")
