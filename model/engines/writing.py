"""Has songs written where nobody waits for them: all at once, by an engine of one's own."""

from collections import deque
from collections.abc import Iterable, Iterator

from model.engines.interface import Engine, Request, RequestState
from model.errors import LyricsError


def write_requests(engine: Engine, requests: Iterable[Request]) -> Iterator[RequestState]:
    """Write requests, as many side by side as the engine has room for.

    Args:
        engine: What writes; nothing else asks it for anything meanwhile.
        requests: What is asked for, each with a seed.

    Yields:
        How each request ended, in order: with its songs, or with the error that it was refused or failed with.
    """
    states = [RequestState(request) for request in requests]
    waiting = deque(states)
    for state in states:
        while not state.ended:
            while waiting and engine.has_room:
                _add(engine, waiting.popleft())
            if not state.ended:
                engine.step(lambda _: None)
        yield state


def _add(engine: Engine, state: RequestState) -> None:
    try:
        engine.add(state)
    except LyricsError as error:
        state.error = error
