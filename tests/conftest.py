"""What every test may use: a tiny checkpoint, made as any other is, and stand-ins for the engine."""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Tokenizer, PreTrainedModel

from model import Checkpoint, GeneratedSong, Header, Metadata, Request, SamplingParams
from model.engines.interface import SerialEngine
from model.song import BOS_TOKEN, EOS_TOKEN

# The tiny model is fastest on one thread, whatever else the machine does; read at each load.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

Family = Literal["gpt2", "llama", "qwen2"]

_TINY_LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}
TINY: dict[Family, dict[str, Any]] = {
    "gpt2": {"n_positions": 128, "n_embd": 32, "n_layer": 2, "n_head": 2},
    "llama": _TINY_LLAMA,
    "qwen2": _TINY_LLAMA,
}

VERSES = (
    "Two lanterns on the water\nOne lantern on the shore\nThe tide came up at midnight\nAnd carried them offshore",
    "I packed my bag on Monday\nI left the key with you\nThe train was late on Tuesday\nThe sky was late and blue",
)


def save_tiny_checkpoint(folder: Path, *, start_token: str | None = BOS_TOKEN, family: Family = "gpt2") -> Path:
    """Write a 2-layer model with random weights and a byte-level tokenizer, without ``lyrics.json``."""
    tokenizer = GPT2Tokenizer().train_new_from_iterator(VERSES, vocab_size=320, show_progress=False)
    tokenizer.add_special_tokens(
        {"bos_token": start_token or EOS_TOKEN, "eos_token": EOS_TOKEN, "pad_token": EOS_TOKEN}
    )
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    make_tiny_model(family, vocab_size=len(tokenizer), **ends).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tiny_model(family: Family, **config: Any) -> PreTrainedModel:
    """Return a model of 2 layers with random weights."""
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **TINY[family] | config))
    # What a new model has as ones or zeros would hide a weight or a bias that is not read.
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, mean=float(name.endswith("weight")), std=0.1)
    return model


@pytest.fixture(scope="session", autouse=True)
def _no_memories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have checkpoints of tests remembered for the tests alone."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.engines.precision.cache_folder", lambda: folder)
        yield


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain checkpoint folder; read it, do not change it."""
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session", params=get_args(Family))
def tiny_of_each_family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of each architecture in turn; read it, do not change it."""
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / request.param, family=request.param)


def make_request(prompt: str = "two lanterns", *, header: Header | None = None, **sampling: object) -> Request:
    """Return a small request with a seed."""
    params = {"max_length": 12, "num_return_sequences": 2, "seed": 7} | sampling
    return Request(prompt, header or Header(), SamplingParams.model_validate(params))


def make_metadata(**fields: object) -> Metadata:
    """Return the metadata of a checkpoint that was trained with titles and moods."""
    made = {
        "base": "scratch",
        "data_fingerprint": "00",
        "training": {"epochs": 1},
        "evaluation": {"eval_loss": 2.5},
        "header_fields": ("title", "mood"),
        "created": datetime.now(UTC),
    }
    return Metadata.model_validate(made | fields)


class GatedEngine(SerialEngine):
    """An engine that writes nothing until ``gate`` is set, and fails where ``error`` is set."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.gate = threading.Event()
        self.started = threading.Event()
        self.error: Exception | None = None
        self.stopped_early = threading.Event()
        self.prompts: list[str] = []

    def generate(
        self,
        request: Request,
        on_progress: Callable[[tuple[str, ...]], None],
        should_stop: Callable[[], bool],
    ) -> tuple[GeneratedSong, ...]:
        """Wait for the gate between two "tokens", as a real engine works."""
        self.prompts.append(request.prompt)
        self.started.set()
        if self.error is not None:
            raise self.error
        count = request.sampling.num_return_sequences
        while not self.gate.wait(0.005):
            on_progress((request.prompt,) * count)
            if should_stop():
                self.stopped_early.set()
                break
        return tuple(GeneratedSong(f"{request.prompt}\nsong {number}", "stop", 5) for number in range(count))


@pytest.fixture
def gated_engine(tiny_checkpoint: Path) -> GatedEngine:
    """An engine whose pace the test sets."""
    return GatedEngine(Checkpoint.open(tiny_checkpoint))
