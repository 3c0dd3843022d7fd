"""What goes wrong while songs are written ends no more than it must."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import torch

import model.engines.batching
from model import (
    CheckpointError,
    EngineOptions,
    Failed,
    Finished,
    Header,
    LyricsService,
    QueueFull,
    Request,
    SamplingParams,
    SettingsError,
    SongFailed,
)
from model.checkpoint.architecture import Architecture
from model.checkpoint.weights import CPU
from model.engines.batching import BatchingEngine
from model.engines.choice import count_slots
from model.engines.interface import RequestState
from model.engines.scheduler import CHUNK
from model.network.base import Chunk
from model.network.cache import KVCache, slot_bytes
from model.network.machine import free_memory
from model.sampling.sampler import RowParams, sample
from model.service import STALLED
from tests.conftest import GatedEngine, make_request
from tests.model.engines.test_batching import load, run, write

GB = 10**9
GPT2 = Architecture.of({"model_type": "gpt2"})


@pytest.fixture
def engine(tiny_checkpoint: Path) -> BatchingEngine:
    return load(tiny_checkpoint)


def spoil_decode(
    engine: BatchingEngine, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[torch.Tensor], None]
) -> None:
    """Have ``spoil`` change, or refuse, the logits of every step."""
    decode = engine._network.decode

    def spoilt(tokens: Sequence[int], lengths: Sequence[int], cache: KVCache) -> torch.Tensor:
        logits = decode(tokens, lengths, cache)
        spoil(logits)
        return logits

    monkeypatch.setattr(engine._network, "decode", spoilt)


def test_a_request_without_probabilities_ends_with_a_plain_error(
    engine: BatchingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(logits: torch.Tensor) -> None:
        logits[:] = torch.nan

    spoil_decode(engine, monkeypatch, spoil)
    with pytest.raises(SongFailed, match="no usable probabilities"):
        write(engine, make_request())


def test_a_nan_ends_its_row_and_no_other(engine: BatchingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = write(engine, make_request(num_return_sequences=3))
    steps: list[int] = []

    def spoil(logits: torch.Tensor) -> None:
        steps.append(len(logits))
        if len(steps) == 5:
            logits[1, 7] = torch.nan

    spoil_decode(engine, monkeypatch, spoil)
    state = RequestState(make_request(num_return_sequences=3))
    run(engine, state)
    assert state.songs == (expected[0], expected[2])
    assert steps[5] == 2


def test_a_row_that_cannot_be_drawn_ends_alone(engine: BatchingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(logits: torch.Tensor, params: RowParams, *rest: Any) -> torch.Tensor:
        if (params.top_k == 13).any():
            raise IndexError("unlucky")
        return sample(logits, params, *rest)

    expected = write(engine, make_request())
    monkeypatch.setattr(model.engines.batching, "sample", fragile)
    unlucky, lucky = RequestState(make_request(top_k=13)), RequestState(make_request())
    run(engine, unlucky, lucky)
    assert isinstance(unlucky.error, IndexError)
    assert lucky.songs == expected


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_out_of_memory_halves_the_batch_and_goes_on(
    engine: BatchingEngine, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    requests = [make_request(seed=seed, num_return_sequences=4) for seed in (1, 2)]
    expected = [write(engine, request) for request in requests]
    most: list[int] = []

    def spoil(logits: torch.Tensor) -> None:
        most.append(len(logits))
        if len(logits) > 3 and len(most) > 4:
            raise error

    spoil_decode(engine, monkeypatch, spoil)
    states = [RequestState(request) for request in requests]
    run(engine, *states)
    assert [state.songs for state in states] == expected
    assert max(most[:5]) == 6  # A quarter of the eight slots is kept from requests with as many running.
    assert max(most[5:]) == 3


async def test_a_model_that_fails_altogether_fails_what_runs_and_serves_the_next(
    engine: BatchingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [RuntimeError("CUDA error: device-side assert")]

    def spoil(_: torch.Tensor) -> None:
        if failures:
            raise failures.pop()

    spoil_decode(engine, monkeypatch, spoil)
    service = LyricsService(lambda: engine, max_queue=5)
    await service.start()
    outcomes = []
    for _ in range(2):
        async with aclosing(service.stream(make_request())) as updates:
            outcomes.append([update async for update in updates][-1])
    await service.close()
    assert [type(outcome) for outcome in outcomes] == [Failed, Finished]


async def test_of_a_burst_of_a_thousand_each_is_finished_or_refused_at_once_in_order(engine: BatchingEngine) -> None:
    service = LyricsService(lambda: engine, max_queue=100)
    await service.start()
    finished: list[int] = []

    async def ask(number: int) -> str:
        try:
            stream = service.stream(make_request(str(number), num_return_sequences=1, max_length=4))
        except QueueFull:
            return "refused"
        async with aclosing(stream) as updates:
            last = [update async for update in updates][-1]
        finished.append(number)
        return type(last).__name__

    outcomes = await asyncio.gather(*(ask(number) for number in range(1000)))
    await service.close()
    accepted = [number for number, outcome in enumerate(outcomes) if outcome == "Finished"]
    assert outcomes.count("Finished") + outcomes.count("refused") == 1000
    assert accepted[:100] == list(range(100))
    # All songs are of one length, so those that started first end first; eight may end in the same step.
    assert sorted(finished) == accepted
    assert all(abs(accepted.index(number) - place) <= 8 for place, number in enumerate(finished))


async def test_a_worker_that_makes_no_step_is_reported(
    gated_engine: GatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = LyricsService(lambda: gated_engine, max_queue=5)
    assert service.health().state == "loading"
    await service.start()
    assert service.health().state == "ready"
    stream = service.stream(make_request())
    await asyncio.to_thread(gated_engine.started.wait, 5)
    assert (service.health().state, service.health().running) == ("ready", 1)
    monkeypatch.setattr("model.service.STALLED", -1.0)
    assert service.health().state == "stalled"
    monkeypatch.setattr("model.service.STALLED", STALLED)
    gated_engine.gate.set()
    assert isinstance([update async for update in stream][-1], Finished)
    await service.close()
    assert service.health().state == "closed"


async def test_a_service_that_was_closed_before_it_had_loaded_is_closed(gated_engine: GatedEngine) -> None:
    loading = threading.Event()

    def load() -> GatedEngine:
        loading.wait(5)
        return gated_engine

    service = LyricsService(load, max_queue=5)
    start = asyncio.create_task(service.start())
    await asyncio.sleep(0)
    assert service.health().state == "loading"
    start.cancel()
    loading.set()
    await service.close()
    assert service.health().state == "closed"


async def test_a_service_whose_model_did_not_load_is_closed() -> None:
    def load() -> GatedEngine:
        raise CheckpointError("gone")

    service = LyricsService(load, max_queue=5)
    with pytest.raises(CheckpointError):
        await service.start()
    assert service._worker is not None
    service._worker.join()
    assert service.health().state == "closed"


async def test_songs_end_as_they_stand_when_their_time_is_up(
    engine: BatchingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = LyricsService(lambda: engine, max_queue=5, timeout=0.2)
    await service.start()
    request = Request("la", Header(), SamplingParams(max_length=1000, top_k=1, repetition_penalty=1.0, seed=1))
    spoil_decode(engine, monkeypatch, lambda _: time.sleep(0.02))
    async with aclosing(service.stream(request)) as updates:
        last = [update async for update in updates][-1]
    await service.close()
    assert isinstance(last, Finished)
    assert {song.finish_reason for song in last.songs} == {"cancelled"}


async def test_a_request_whose_time_was_up_before_it_began_says_so(engine: BatchingEngine) -> None:
    service = LyricsService(lambda: engine, max_queue=5, timeout=0.0)
    await service.start()
    async with aclosing(service.stream(make_request())) as updates:
        last = [update async for update in updates][-1]
    await service.close()
    assert isinstance(last, Failed)
    assert "too busy to write this in time" in str(last.error)


def test_a_stopped_request_frees_its_slots_within_two_steps(engine: BatchingEngine) -> None:
    state, other = RequestState(make_request(max_length=100)), RequestState(make_request(max_length=30))
    engine.add(state)
    engine.add(other)
    for _ in range(3):
        engine.step(lambda _: None)
    state.stopping = True
    engine.step(lambda _: None)
    assert {sequence.group.state for sequence in engine._sequences} == {other}
    assert state.songs is not None
    assert {song.finish_reason for song in state.songs} == {"cancelled"}


def test_a_long_prompt_is_read_in_chunks_while_songs_run_and_once_for_all_its_songs(
    engine: BatchingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[int]] = []
    prefill = engine._network.prefill

    def counted(chunks: Sequence[Chunk]) -> None:
        read.append([len(chunk.ids) for chunk in chunks])
        prefill(chunks)

    monkeypatch.setattr(engine._network, "prefill", counted)
    running = RequestState(make_request(max_length=60))
    engine.add(running)
    engine.step(lambda _: None)
    read.clear()
    long = RequestState(make_request("qz" * 30, num_return_sequences=3))
    engine.add(long)
    prompt = len(engine._scheduler.groups[-1].prompt_ids)
    assert prompt > CHUNK
    before = running.lyrics
    engine.step(lambda _: None)
    assert running.lyrics != before
    while engine.is_busy:
        engine.step(lambda _: None)
    assert all(sum(sizes) <= CHUNK for sizes in read)
    assert sum(map(sum, read)) == prompt - 1


def test_ten_long_songs_do_not_keep_a_short_one_waiting(tiny_checkpoint: Path) -> None:
    engine = load(tiny_checkpoint, slots=8)
    greedy = RequestState(make_request(num_return_sequences=10, max_length=100, temperature=0.1))
    engine.add(greedy)
    for _ in range(3):
        engine.step(lambda _: None)
    short = RequestState(make_request(num_return_sequences=2, max_length=5))
    assert engine.has_room
    engine.add(short)
    for _ in range(6):
        engine.step(lambda _: None)
    assert short.songs is not None
    run(engine, greedy)
    assert greedy.songs is not None
    assert len(greedy.songs) == 10


def test_the_slots_are_as_many_as_the_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    each = slot_bytes(GPT2, torch.float32)
    assert each == 2 * 12 * 768 * 1024 * 4

    def slots(free: int, **options: Any) -> int:
        monkeypatch.setattr("model.engines.choice.free_memory", lambda _: free)
        return count_slots(GPT2, EngineOptions(**options), CPU, torch.float32)

    assert slots(100 * GB) == 32
    assert slots(9 * each) == 4
    assert slots(20 * each, kv_cache_gb=10 * each / GB) == 10
    assert slots(200 * each, max_batch=64) == 64


@pytest.mark.parametrize(
    ("options", "free", "sentence"),
    [
        (EngineOptions(max_batch=100), 4 * GB, "100 songs side by side may take 7.55 GB .* 2.00 GB for them"),
        (EngineOptions(kv_cache_gb=9), 4 * GB, "KV_CACHE_GB is 9, but only 4.0 GB"),
        (EngineOptions(kv_cache_gb=0.01), 4 * GB, "1 songs side by side may take 0.08 GB .* 0.01 GB"),
        (EngineOptions(), GB // 10, "may take 0.08 GB .* 0.05 GB"),
        (EngineOptions(kv_cache_gb=0.00025), 4 * GB, "may take 0.08 GB .* there are 0.25 MB for them"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_figure(
    options: EngineOptions, free: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.engines.choice.free_memory", lambda _: free)
    with pytest.raises(SettingsError, match=sentence):
        count_slots(GPT2, options, CPU, torch.float32)


def test_the_free_memory_is_known() -> None:
    assert 0 < free_memory(CPU) < 10**14
