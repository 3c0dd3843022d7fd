"""Which precision a checkpoint is served in: the machine's fastest, where that costs its songs next to nothing."""

import hashlib
import json
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch.nn import functional

from model.checkpoint.architecture import Architecture
from model.checkpoint.folder import Checkpoint
from model.checkpoint.tokenizer import SongTokenizer
from model.checkpoint.weights import Weights
from model.errors import SettingsError
from model.network.cpu import CpuNetwork
from model.network.cpu_linear import Float32Linear, Int8Linear, Precision, fastest_precision, has_vnni
from model.paths import cache_folder

log = logging.getLogger(__name__)

TOLERANCE = 0.01
"""By what share int8 may raise the perplexity to be taken unasked."""

_ABLE: dict[Precision, tuple[Precision, ...]] = {
    "int8": ("int8", "float16", "float32"),
    "float32": ("float32",),
    "bfloat16": ("bfloat16", "float16", "float32"),
    "float16": ("float16", "float32"),
}
"""What a machine knows, by its fastest."""

_TEXT = """[Verse 1]
The baker lights his oven while the street is still in bed,
The paper boy goes whistling by with comics in his head,
My mother hums a waltz of hers and folds the morning white,
And I came home on the early train and told her I'm all right.

[Chorus]
Oh, leave the kitchen window open,
Leave a little light,
I was gone for half a lifetime,
I'll be here tonight.

[Verse 2]
"You've grown so thin," my father says, and cuts the bread in three,
The dog that barked at everyone lays down its chin on me,
There's dust upon the old guitar, there's rust upon the strings,
But somewhere underneath it all the second fiddle sings.

[Bridge]
Ten years of rented ceilings, seven cities, thirty keys,
And none of them would fit this door or bring me to my knees.
"""
"""Half of it finds outliers, the other half what int8 costs."""

_REMEMBERED = 100
"""Checkpoints whose figure is kept."""

_READ = 72
"""Tokens of a text that finds outliers."""


def choose_precision(
    checkpoint: Checkpoint, tokenizer: SongTokenizer, wanted: str, device: torch.device
) -> tuple[Precision, str]:
    """Return the precision of the weights, and why it is that.

    Raises:
        SettingsError: Where the device cannot compute with what the host wants.
    """
    fastest = fastest_precision(device)
    for precision in _ABLE[fastest]:
        if precision == wanted:
            return precision, "as PRECISION says"
    if wanted != "auto":
        raise SettingsError(
            f"PRECISION is {wanted}, but this machine's {device.type} knows {', '.join(_ABLE[fastest])}: "
            "set it to auto."
        )
    why = f"the fastest of this {device.type}"
    if fastest != "int8":
        return fastest, why
    rise = _known_rise(checkpoint, tokenizer)
    if rise <= TOLERANCE:
        return "int8", f"{why}, and the perplexity {rise:+.1%} by it"
    return "float16", f"since int8 would raise the perplexity by {rise:.1%}"


def rise_key() -> str:
    """Return under what a checkpoint records by what share int8 raises the perplexity on a machine as this one."""
    return "int8_rise" if has_vnni() else "int8_rise_without_vnni"


def outlier_sample(tokenizer: SongTokenizer, model: Architecture) -> list[int]:
    """Return the tokens of a text by which int8 finds outliers; none where the model does not know them all."""
    return _sample(tokenizer, model)[:_READ]


def measure_rise(checkpoint: Checkpoint, tokenizer: SongTokenizer, texts: Iterable[Sequence[int]]) -> float:
    """Return by what share int8 raises the perplexity of a token.

    Args:
        checkpoint: A GPT-2 or Llama.
        tokenizer: Its tokenizer.
        texts: Tokens of each, at least two.
    """
    whole, small = _open_both(checkpoint, tokenizer)
    nats, count = 0.0, 0
    with torch.inference_mode():
        for ids in texts:
            targets = torch.tensor(ids[1:])
            for network, sign in ((whole, -1), (small, 1)):
                nats += sign * float(functional.cross_entropy(network.read(ids)[:-1], targets, reduction="sum"))
            count += len(targets)
    return math.expm1(nats / count)


def _known_rise(checkpoint: Checkpoint, tokenizer: SongTokenizer) -> float:
    """Return what the checkpoint says, or was found at an earlier start, or is found now."""
    if checkpoint.metadata and (recorded := checkpoint.metadata.evaluation.get(rise_key())) is not None:
        return recorded
    file, name = cache_folder() / "precision.json", _fingerprint(checkpoint)
    remembered: dict[str, float] = {}
    try:
        remembered = json.loads(file.read_bytes())
    except (OSError, ValueError):
        log.debug("Nothing is remembered in %s", file)
    if name not in remembered:
        log.info("Measuring what int8 costs %s, once", checkpoint.name)
        remembered[name] = _foresee_rise(checkpoint, tokenizer)
        _remember(file, dict([*remembered.items()][-_REMEMBERED:]))
    return remembered[name]


def _foresee_rise(checkpoint: Checkpoint, tokenizer: SongTokenizer) -> float:
    """Return by what share int8 would raise the perplexity of text that the model itself would write.

    A text of a few words tells that much sooner than by how well they are foreseen: what is compared are the whole
    distributions after each of its tokens (Kullback and Leibler, 1951).
    """
    ids = _sample(tokenizer, Architecture.read(checkpoint))
    if not ids:
        return 0.0
    with torch.inference_mode():
        whole, small = (network.read(ids).log_softmax(1) for network in _open_both(checkpoint, tokenizer))
        unread = slice(_READ if len(ids) > 2 * _READ else 0, None)
        nats = functional.kl_div(small[unread], whole[unread], reduction="batchmean", log_target=True)
    return math.expm1(min(float(nats.nan_to_num(math.inf)), 1.0))


def _open_both(checkpoint: Checkpoint, tokenizer: SongTokenizer) -> tuple[CpuNetwork, CpuNetwork]:
    """Return the model in float32 and in int8."""
    model = Architecture.read(checkpoint)
    with Weights.open(checkpoint, model) as weights:
        sample = outlier_sample(tokenizer, model)
        return CpuNetwork(weights, Float32Linear), CpuNetwork(weights, Int8Linear, sample)


def _sample(tokenizer: SongTokenizer, model: Architecture) -> list[int]:
    start = [] if tokenizer.start_id is None else [tokenizer.start_id]
    ids = [*start, *tokenizer.split(_TEXT)][: model.context]
    return ids if max(ids) < model.vocabulary else []


def _fingerprint(checkpoint: Checkpoint) -> str:
    """Return what changes with a checkpoint's weights, and with how this machine computes in int8."""
    files = [(path.name, path.stat()) for path in sorted(checkpoint.path.glob("*.safetensors"))]
    seen = [rise_key(), str(checkpoint.path), *((name, stat.st_size, stat.st_mtime_ns) for name, stat in files)]
    return hashlib.sha256(repr(seen).encode()).hexdigest()


def _remember(file: Path, rises: dict[str, float]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps(rises), encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        log.warning("%s could not be written (%s): int8 is measured at every start", file, error)
