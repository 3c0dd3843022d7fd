"""From a checkpoint to an engine: which one serves it, on what, and in how much memory."""

import logging

import torch

from model.checkpoint.architecture import Architecture, UnknownArchitectureError
from model.checkpoint.folder import Checkpoint
from model.checkpoint.tokenizer import SongTokenizer
from model.checkpoint.weights import Weights, is_finite
from model.engines.batching import BatchingEngine
from model.engines.interface import Engine, EngineOptions
from model.engines.lyric_rules import LyricRules
from model.engines.precision import choose_precision, outlier_sample
from model.engines.self_check import log_self_check
from model.errors import CheckpointError, SettingsError
from model.network.base import Network
from model.network.cache import slot_bytes
from model.network.cpu import CpuNetwork
from model.network.cpu_linear import PACKED_LINEARS
from model.network.gpu import GpuNetwork
from model.network.machine import free_memory, use_threads
from model.sampling.params import SamplingParams
from model.sampling.sampler import RowParams, penalize, sample

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}

log = logging.getLogger(__name__)

DEFAULT_BATCH = {"cpu": 32, "cuda": 64}
"""Songs side by side, unless the host says otherwise or the memory holds fewer."""

_GB = 10**9
_MB = 10**6


def load_engine(checkpoint: Checkpoint, options: EngineOptions) -> Engine:
    """Return the fastest engine that can serve a checkpoint, on the GPU where there is one.

    Raises:
        CheckpointError: Where the checkpoint does not load.
        SettingsError: Where the options do not fit the machine.
    """
    use_threads()
    try:
        model = Architecture.read(checkpoint)
    except UnknownArchitectureError as reason:
        log.warning("%s is served by transformers' generate, one request at a time: %s", checkpoint.name, reason)
        return _load_reference(checkpoint)
    tokenizer = SongTokenizer.load(checkpoint)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision, why = choose_precision(checkpoint, tokenizer, options.precision, device)
    dtype = torch.float32 if device.type == "cpu" else _DTYPES[precision]
    with Weights.open(checkpoint, model, device, dtype) as weights:
        network = (
            CpuNetwork(weights, PACKED_LINEARS[precision], outlier_sample(tokenizer, model))
            if device.type == "cpu"
            else GpuNetwork(weights)
        )
    _try_out(network, tokenizer, precision)
    slots = count_slots(model, options, device, dtype)
    log_self_check(checkpoint, tokenizer, f"{precision}, {why}; up to {slots} songs side by side")
    return BatchingEngine(checkpoint, network, tokenizer, slots, LyricRules.of(checkpoint, options))


def count_slots(model: Architecture, options: EngineOptions, device: torch.device, dtype: torch.dtype) -> int:
    """Return how many songs fit the free memory of a device.

    Raises:
        SettingsError: Where that is less than the host wants, or not even one.
    """
    each = slot_bytes(model, dtype)
    free = free_memory(device)
    budget = free / 2 if options.kv_cache_gb is None else options.kv_cache_gb * _GB
    if budget > free:
        raise SettingsError(
            f"KV_CACHE_GB is {options.kv_cache_gb:g}, but only {free / _GB:.1f} GB of memory are free: lower it."
        )
    fitting = int(budget // each)
    wanted = options.max_batch or min(DEFAULT_BATCH[device.type], max(1, fitting))
    if wanted > fitting:
        raise SettingsError(
            f"{wanted} songs side by side may take {_size(wanted * each)} with this model, and there are "
            f"{_size(budget)} for them: lower MAX_BATCH, raise KV_CACHE_GB, or free some memory."
        )
    return wanted


def _size(count: float) -> str:
    """Return a number of bytes in GB, or in MB where that would be nothing but zeros."""
    return f"{count / _GB:.2f} GB" if count >= _GB / 100 else f"{count / _MB:.2g} MB"


def _try_out(network: Network, tokenizer: SongTokenizer, precision: str) -> None:
    """Write a token: the first song does not wait for a compiler then, and a model that gives no numbers is told."""
    with torch.inference_mode():
        logits = network.decode([tokenizer.start_id or 0], [0], network.make_cache(1))
        if not is_finite(logits):
            raise CheckpointError(
                f"The model gives no usable numbers in {precision}: set PRECISION=float32, or name another checkpoint."
            )
        params = RowParams.of([SamplingParams()], logits.shape[1], network.device)
        seen = torch.zeros(1, 1, dtype=torch.int64, device=network.device)
        penalize(logits, seen, params.repetition_penalty)
        sample(logits, params, torch.zeros(1, 1, dtype=torch.float64, device=network.device))


def _load_reference(checkpoint: Checkpoint) -> Engine:
    from model.engines.reference import ReferenceEngine  # noqa: PLC0415 - transformers takes seconds to import

    engine = ReferenceEngine.load(checkpoint)
    log_self_check(checkpoint, engine.tokenizer, "float32, as transformers computes it; one request at a time")
    return engine
