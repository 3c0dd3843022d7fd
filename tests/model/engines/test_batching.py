import itertools
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from model import Checkpoint, GeneratedSong, Request
from model.checkpoint.architecture import Architecture
from model.checkpoint.bundled import BUNDLED
from model.checkpoint.pretrained import load_pretrained
from model.checkpoint.tokenizer import SongTokenizer
from model.checkpoint.weights import Weights
from model.engines.batching import BatchingEngine
from model.engines.interface import RequestState
from model.engines.lyric_rules import LyricRules
from model.engines.sequence import Sequence
from model.network.cpu import CpuNetwork
from model.network.cpu_linear import PACKED_LINEARS, Precision
from tests.conftest import make_request
from tests.model.checkpoint.test_bundled import installed


def load(
    folder: Path, slots: int = 8, precision: Precision = "float32", rules: LyricRules | None = None
) -> BatchingEngine:
    checkpoint = Checkpoint.open(folder)
    with Weights.open(checkpoint, Architecture.read(checkpoint)) as weights:
        network = CpuNetwork(weights, PACKED_LINEARS[precision])
    return BatchingEngine(checkpoint, network, SongTokenizer.load(checkpoint), slots, rules)


@pytest.fixture
def engine(tiny_checkpoint: Path) -> BatchingEngine:
    return load(tiny_checkpoint)


def run(engine: BatchingEngine, *states: RequestState, arriving: Iterable[int] = ()) -> dict[RequestState, Sequence]:
    """Step until all requests have ended; a request joins when there is room, at the step in ``arriving`` soonest.

    Returns:
        The last song that was seen of each request.
    """
    seen: dict[RequestState, Sequence] = {}
    left = list(zip(states, itertools.chain(arriving, itertools.repeat(0)), strict=False))
    for number in range(5000):
        while left and left[0][1] <= number and engine.has_room:
            engine.add(left.pop(0)[0])
        if not left and all(state.ended for state in states):
            return seen
        engine.step(lambda _: None)
        seen |= {sequence.group.state: sequence for sequence in engine._sequences}
    raise AssertionError("the requests do not end")


def write(engine: BatchingEngine, request: Request) -> tuple[GeneratedSong, ...]:
    state = RequestState(request)
    run(engine, state)
    if state.error is not None:
        raise state.error
    assert state.songs is not None
    return state.songs


def greedy(prompt: str, *, max_length: int = 40, penalty: float = 1.2) -> Request:
    """Return a request that always takes the likeliest token."""
    return make_request(prompt, max_length=max_length, repetition_penalty=penalty, num_return_sequences=1, top_k=1)


def tokens_of(engine: BatchingEngine, states: list[RequestState], arriving: Iterable[int] = ()) -> list[list[int]]:
    """Run requests of one song each and return what was drawn of each."""
    sequences = run(engine, *states, arriving=arriving)
    return [sequences[state].tokens for state in states]


PROMPTS = ("two lanterns", "I packed my bag on Monday and left the key with you " * 2, "t", "The train was late")


def expected_ids(folder: Path, prompt: str, *, count: int, penalty: float) -> list[int]:
    """Return what transformers' ``generate`` writes greedily."""
    model, tokenizer = load_pretrained(Checkpoint.open(folder))
    ids = [tokenizer.bos_token_id, *tokenizer.encode(prompt, add_special_tokens=False)]
    output: torch.Tensor = model.generate(  # type: ignore[operator]
        torch.tensor([ids]), do_sample=False, max_new_tokens=count, repetition_penalty=penalty, pad_token_id=0
    )
    found: list[int] = output[0, len(ids) :].tolist()
    return found


@pytest.mark.parametrize("penalty", [1.0, 1.2])
def test_greedy_tokens_are_those_of_generate_alone_and_in_a_batch(tiny_of_each_family: Path, penalty: float) -> None:
    engine = load(tiny_of_each_family)
    requests = [greedy(prompt.strip(), penalty=penalty) for prompt in PROMPTS]
    expected = [expected_ids(tiny_of_each_family, request.prompt, count=40, penalty=penalty) for request in requests]
    alone = [tokens_of(engine, [RequestState(request)])[0] for request in requests]
    together = tokens_of(engine, [RequestState(request) for request in requests], arriving=(0, 0, 3, 11))
    assert alone == expected
    assert together == expected


@installed
def test_smollm2_writes_greedily_what_generate_writes() -> None:
    checkpoint = Checkpoint.open(BUNDLED)
    engine = load(checkpoint.path, slots=2)
    request = greedy("Two lanterns on the water", max_length=24, penalty=1.0)
    expected = expected_ids(checkpoint.path, request.prompt, count=24, penalty=1.0)
    assert tokens_of(engine, [RequestState(request)]) == [expected]


def test_a_seed_gives_the_same_songs_alone_and_in_a_batch(engine: BatchingEngine) -> None:
    requests = [
        make_request(prompt.strip(), seed=seed, max_length=60, num_return_sequences=2, temperature=temperature)
        for seed, (prompt, temperature) in enumerate(itertools.product(PROMPTS, (0.7, 1.5)))
    ]
    alone = [write(engine, request) for request in requests]
    states = [RequestState(request) for request in requests]
    run(engine, *states, arriving=(0, 2, 3, 3, 20))
    assert [state.songs for state in states] == alone


def test_a_request_of_one_song_gives_the_first_of_many(engine: BatchingEngine) -> None:
    (one,) = write(engine, make_request(num_return_sequences=1))
    many = write(engine, make_request(num_return_sequences=8))
    assert many[0] == one
    assert len(set(many)) == 8
