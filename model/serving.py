"""From a checkpoint to an engine: which one serves it, on what, and in how much memory."""

import logging

from model.batching import BatchingEngine
from model.cache import slot_bytes
from model.checkpoint import Checkpoint
from model.engine import Engine, EngineOptions
from model.errors import SettingsError
from model.linear import Precision, default_precision
from model.machine import free_memory, use_threads
from model.network import Network
from model.text import SongTokenizer
from model.weights import Gpt2Config, Weights

log = logging.getLogger(__name__)

DEFAULT_BATCH = 32
"""Songs side by side, unless the host says otherwise or the memory holds fewer."""

_GB = 10**9


def load_engine(checkpoint: Checkpoint, options: EngineOptions) -> Engine:
    """Return the fastest engine that can serve a checkpoint.

    Raises:
        CheckpointError: Where the checkpoint does not load.
        SettingsError: Where the options do not fit the memory.
    """
    use_threads()
    config = Gpt2Config.read(checkpoint)
    reason = config.why_not()
    if reason is not None:
        log.warning("%s is served by transformers' generate, one request at a time: %s", checkpoint.name, reason)
        return _load_reference(checkpoint)
    tokenizer = SongTokenizer.load(checkpoint)
    precision = choose_precision(options)
    with Weights.open(checkpoint, config) as weights:
        network = Network(weights, precision)
    slots = count_slots(config, options, free_memory())
    log.info("Up to %d songs side by side, with %s weights", slots, precision)
    return BatchingEngine(checkpoint, network, tokenizer, slots)


def choose_precision(options: EngineOptions) -> Precision:
    """Return the precision of the weights.

    Raises:
        SettingsError: Where the processor has no kernels for what the host wants.
    """
    if options.precision == "auto":
        return default_precision()
    if options.precision != "float32" and default_precision() == "float32":
        raise SettingsError(
            f"PRECISION is {options.precision}, but this processor can do float32 only: set it to auto."
        )
    return options.precision


def count_slots(config: Gpt2Config, options: EngineOptions, free: int) -> int:
    """Return how many songs fit.

    Args:
        config: The model.
        options: What the host wants.
        free: Bytes of memory that nobody uses.

    Raises:
        SettingsError: Where that is less than the host wants, or not even one.
    """
    each = slot_bytes(config)
    budget = free / 2 if options.kv_cache_gb is None else options.kv_cache_gb * _GB
    if budget > free:
        raise SettingsError(
            f"KV_CACHE_GB is {options.kv_cache_gb:g}, but only {free / _GB:.1f} GB of memory are free: lower it."
        )
    fitting = int(budget // each)
    wanted = options.max_batch or min(DEFAULT_BATCH, max(1, fitting))
    if wanted > fitting:
        raise SettingsError(
            f"{wanted} songs side by side may take {wanted * each / _GB:.2f} GB with this model, and there are "
            f"{budget / _GB:.2f} GB for them: lower MAX_BATCH, raise KV_CACHE_GB, or free some memory."
        )
    return wanted


def _load_reference(checkpoint: Checkpoint) -> Engine:
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415 - it takes seconds to import

    from model.reference import ReferenceEngine  # noqa: PLC0415

    # Its hints are for those who program with it, not for the log of who hosts a bot.
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    return ReferenceEngine.load(checkpoint)
