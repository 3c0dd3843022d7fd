import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from subprocess import run

import pytest
import pytest_asyncio

from model import (
    Checkpoint,
    CheckpointError,
    Engine,
    Failed,
    Finished,
    GenerationStopped,
    LyricsService,
    ModelNotReady,
    Progress,
    Queued,
    QueueFull,
    Request,
    Update,
)
from tests.conftest import GatedEngine, make_request


@pytest_asyncio.fixture
async def gated(gated_engine: GatedEngine) -> AsyncIterator[LyricsService]:
    """A started service over the gated engine, with room for two to wait."""
    service = LyricsService(lambda: gated_engine, max_queue=2)
    await service.start()
    yield service
    await service.close()


async def follow(service: LyricsService, request: Request) -> list[Update]:
    async with aclosing(service.stream(request)) as updates:
        return [update async for update in updates]


async def until_started(engine: GatedEngine) -> None:
    assert await asyncio.to_thread(engine.started.wait, 5)


async def test_a_request_ends_in_finished_with_songs_and_timings(tiny_checkpoint: Path) -> None:
    service = LyricsService.from_checkpoint(tiny_checkpoint, max_queue=2)
    await service.start()
    updates = await follow(service, make_request())
    await service.close()
    finished = updates[-1]
    assert isinstance(finished, Finished)
    assert [type(update) for update in updates[:-1]].count(Progress) >= 1
    assert len(finished.songs) == 2
    assert all(song.lyric.startswith("two lanterns") for song in finished.songs)
    assert finished.timings.num_tokens == sum(song.num_tokens for song in finished.songs)
    assert finished.timings.generating > 0


async def test_songs_do_not_depend_on_who_else_asks(tiny_checkpoint: Path) -> None:
    service = LyricsService.from_checkpoint(tiny_checkpoint, max_queue=4)
    await service.start()
    alone = await follow(service, make_request(seed=5))
    crowd = await asyncio.gather(*(follow(service, make_request(seed=seed)) for seed in (4, 5, 6)))
    await service.close()
    assert isinstance(alone[-1], Finished)
    assert isinstance(crowd[1][-1], Finished)
    assert alone[-1].songs == crowd[1][-1].songs


async def test_everything_of_the_engine_happens_on_one_thread_that_is_not_the_loops(tiny_checkpoint: Path) -> None:
    threads: set[int] = set()

    class Watched(GatedEngine):
        def generate(self, *_: object) -> tuple[()]:
            threads.add(threading.get_ident())
            return ()

    def load() -> Engine:
        threads.add(threading.get_ident())
        return Watched(Checkpoint.open(tiny_checkpoint))

    service = LyricsService(load, max_queue=2)
    await service.start()
    await asyncio.gather(follow(service, make_request()), follow(service, make_request()))
    await service.close()
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_waiting_requests_hear_their_position(gated: LyricsService, gated_engine: GatedEngine) -> None:
    first = asyncio.create_task(follow(gated, make_request("first")))
    await until_started(gated_engine)
    second = asyncio.create_task(follow(gated, make_request("second")))
    await asyncio.sleep(0)  # The second asks before the third does.
    third = gated.stream(make_request("third"))
    assert await anext(third) == Queued(2)
    gated_engine.gate.set()
    rest = [update async for update in third]
    assert not isinstance(rest[0], Queued) or rest[0].position == 1
    assert isinstance(rest[-1], Finished)
    await asyncio.gather(first, second)
    assert gated_engine.prompts == ["first", "second", "third"]


async def test_leaving_the_queue_moves_the_others_up(gated: LyricsService, gated_engine: GatedEngine) -> None:
    running = gated.stream(make_request("running"))
    await until_started(gated_engine)
    second, third = gated.stream(make_request("second")), gated.stream(make_request("third"))
    assert (await anext(second), await anext(third)) == (Queued(1), Queued(2))
    await second.aclose()
    assert await anext(third) == Queued(1)
    gated_engine.gate.set()
    assert isinstance([update async for update in third][-1], Finished)
    await running.aclose()
    assert gated_engine.prompts == ["running", "third"]


async def test_a_full_queue_refuses_at_once_and_loses_nobody(gated: LyricsService, gated_engine: GatedEngine) -> None:
    accepted = [asyncio.create_task(follow(gated, make_request("0")))]
    await until_started(gated_engine)
    accepted += [asyncio.create_task(follow(gated, make_request(str(number)))) for number in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull, match="2 waiting"):
        gated.stream(make_request("refused"))
    gated_engine.gate.set()
    assert all(isinstance(updates[-1], Finished) for updates in await asyncio.gather(*accepted))


async def test_leaving_the_iterator_stops_generation(gated: LyricsService, gated_engine: GatedEngine) -> None:
    async with aclosing(gated.stream(make_request())) as updates:
        async for update in updates:
            if isinstance(update, Progress):
                break
    assert await asyncio.to_thread(gated_engine.stopped_early.wait, 5)


async def test_finishing_early_gives_the_songs_as_they_stand(gated: LyricsService, gated_engine: GatedEngine) -> None:
    stream = gated.stream(make_request())
    await until_started(gated_engine)
    stream.finish()
    finished = [update async for update in stream][-1]
    assert isinstance(finished, Finished)
    assert gated_engine.stopped_early.is_set()


async def test_finishing_a_request_that_still_waits_says_that_nothing_was_written(
    gated: LyricsService, gated_engine: GatedEngine
) -> None:
    running = gated.stream(make_request("running"))
    await until_started(gated_engine)
    waiting = gated.stream(make_request("waiting"))
    waiting.finish()
    failed = [update async for update in waiting][-1]
    assert isinstance(failed, Failed)
    assert "before anything was written" in str(failed.error)
    gated_engine.gate.set()
    assert isinstance([update async for update in running][-1], Finished)
    assert gated_engine.prompts == ["running"]


async def test_the_wait_is_told_by_the_time_that_requests_took(gated: LyricsService, gated_engine: GatedEngine) -> None:
    first = asyncio.create_task(follow(gated, make_request("first")))
    await until_started(gated_engine)
    await asyncio.sleep(0.1)
    gated_engine.gate.set()
    await first
    gated_engine.gate.clear()
    gated_engine.started.clear()
    running = gated.stream(make_request("running"))
    await until_started(gated_engine)
    gated.stream(make_request("second"))
    queued = await anext(gated.stream(make_request("third")))
    assert isinstance(queued, Queued)
    assert queued.position == 2
    assert queued.wait is not None
    assert queued.wait >= 0.2
    await running.aclose()


async def test_a_stream_that_is_closed_before_it_is_read_frees_its_place(
    gated: LyricsService, gated_engine: GatedEngine
) -> None:
    await gated.stream(make_request()).aclose()
    gated_engine.gate.set()
    assert isinstance((await follow(gated, make_request("next")))[-1], Finished)


async def test_an_exception_in_the_engine_fails_that_request_alone(
    gated: LyricsService, gated_engine: GatedEngine
) -> None:
    gated_engine.error = RuntimeError("out of luck")
    failed = (await follow(gated, make_request()))[-1]
    assert isinstance(failed, Failed)
    assert failed.error is gated_engine.error
    gated_engine.error = None
    gated_engine.gate.set()
    assert isinstance((await follow(gated, make_request()))[-1], Finished)


async def test_a_slow_reader_gets_the_latest_and_not_a_backlog(gated: LyricsService, gated_engine: GatedEngine) -> None:
    stream = gated.stream(make_request())
    await until_started(gated_engine)
    gated_engine.gate.set()
    await asyncio.sleep(0.2)
    assert len([update async for update in stream]) == 1


async def test_closing_lets_the_running_request_end_within_the_grace(
    gated: LyricsService, gated_engine: GatedEngine
) -> None:
    running = asyncio.create_task(follow(gated, make_request()))
    await until_started(gated_engine)
    waiting = asyncio.create_task(follow(gated, make_request()))
    await asyncio.sleep(0)
    closing = asyncio.create_task(gated.close(grace=30))
    refused = (await waiting)[-1]
    assert isinstance(refused, Failed)
    assert isinstance(refused.error, GenerationStopped)
    gated_engine.gate.set()
    assert isinstance((await running)[-1], Finished)
    await closing


async def test_closing_without_grace_stops_the_running_request(gated: LyricsService, gated_engine: GatedEngine) -> None:
    running = asyncio.create_task(follow(gated, make_request()))
    await until_started(gated_engine)
    await gated.close()
    stopped = (await running)[-1]
    assert isinstance(stopped, Failed)
    assert isinstance(stopped.error, GenerationStopped)
    with pytest.raises(ModelNotReady, match="shutting down"):
        gated.stream(make_request())


async def test_a_request_before_the_start_is_refused(gated_engine: GatedEngine) -> None:
    service = LyricsService(lambda: gated_engine, max_queue=1)
    with pytest.raises(ModelNotReady, match="still loading"):
        service.stream(make_request())
    await service.close()


async def test_a_checkpoint_that_does_not_load_fails_the_start(tmp_path: Path) -> None:
    service = LyricsService.from_checkpoint(tmp_path, max_queue=1)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        await service.start()
    await service.close()


def test_importing_the_service_and_the_bot_does_not_import_torch() -> None:
    code = (
        "import sys, model, bot.client, bot.__main__; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
