import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import model.engines.batching
from model import Checkpoint, EngineOptions, GeneratedSong, Header, Request
from model.checkpoint.tokenizer import SongTokenizer
from model.engines.batching import BatchingEngine
from model.engines.interface import RequestState
from model.engines.lyric_rules import LyricRules
from model.sampling.sampler import penalize
from model.song import EOS_TOKEN
from tests.conftest import make_metadata, make_request
from tests.model.engines.test_batching import load, run, write

SONG = "\nThe lights\n\n[Chorus]\nOn the water\nOn the shore\n\n[Verse 2]\nThe train\n\n[Chorus]\n"
AFTER = "\n\n[Outro]\nGo"
END = EOS_TOKEN

Script = Callable[[str, LyricRules], BatchingEngine]


@pytest.fixture
def script(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Make an engine under these rules whose model draws the tokens of a text, over and over."""

    def make(text: str, rules: LyricRules) -> BatchingEngine:
        engine = load(tiny_checkpoint, rules=rules)
        tokenizer = SongTokenizer.load(engine.checkpoint)
        ids = [number for part in re.split(f"({re.escape(END)})", text) for number in _ids(tokenizer, part)]
        steps: Iterator[int] = (number for _ in range(99) for number in ids)

        def draw(logits: torch.Tensor, *_: object) -> torch.Tensor:
            return torch.full((len(logits),), next(steps))

        monkeypatch.setattr(model.engines.batching, "sample", draw)
        return engine

    return make


def _ids(tokenizer: SongTokenizer, text: str) -> list[int]:
    return [tokenizer.ends[0]] if text == END else tokenizer.split(text)


def song(engine: BatchingEngine, prompt: str = "[Verse 1]\nTwo lanterns", *, length: int = 200) -> GeneratedSong:
    (written,) = write(engine, make_request(prompt, max_length=length, num_return_sequences=1))
    return written


def test_a_chorus_that_opens_again_is_given_back(script: Script) -> None:
    engine = script(SONG + AFTER, LyricRules(choruses_return=True))
    lyric = song(engine, length=100).lyric
    assert lyric.startswith(f"[Verse 1]\nTwo lanterns{SONG}On the water\nOn the shore")
    assert lyric.count("On the water\nOn the shore") >= 2


def test_without_the_rule_it_is_drawn(script: Script) -> None:
    lyric = song(script(SONG + AFTER, LyricRules()), length=100).lyric
    assert lyric.startswith(f"[Verse 1]\nTwo lanterns{SONG}{AFTER}")


def test_a_chorus_of_the_prompt_comes_back_as_well(script: Script) -> None:
    engine = script("\n\n[Chorus]\n", LyricRules(choruses_return=True))
    prompt = "[Chorus]\nOn the water\n\n[Verse]\nTwo"
    assert song(engine, prompt, length=40).lyric.startswith(f"{prompt}\n\n[Chorus]\nOn the water")


def test_a_song_ends_where_its_next_stanza_does_not_fit(script: Script) -> None:
    stanza = "\nOn the water\nOn the shore\n\n"
    engine = script(stanza, LyricRules(has_stanzas=True))
    tokens = len(SongTokenizer.load(engine.checkpoint).split(stanza))
    written = song(engine, "Two", length=3 * tokens - 3)
    assert written.lyric == "Two\nOn the water\nOn the shore\n\n\nOn the water\nOn the shore"
    assert (written.finish_reason, written.num_tokens) == ("stop", 2 * tokens)


def test_of_a_model_of_single_lines_a_song_is_lines_until_its_length(script: Script) -> None:
    # What is drawn behind an end, "?", gives way to the start token.
    engine = script(f"Go on{END}?", LyricRules(line_by_line=True))
    written = song(engine, "Two lanterns", length=40)
    assert written.finish_reason == "length"
    assert written.lyric.startswith("Two lanternsGo on\nGo on\nGo on\n")
    assert set(written.lyric.split("\n")[1:]) == {"Go on"}
    assert song(script(f"{END}?Go on", LyricRules(line_by_line=True)), "Two", length=40).lyric.startswith("Two\nGo on")


def test_a_model_that_only_ends_lines_ends_with_its_length(script: Script) -> None:
    written = song(script(END, LyricRules(line_by_line=True)), "Two lanterns", length=20)
    assert (written.lyric, written.finish_reason) == ("Two lanterns", "length")


def test_a_song_without_stanzas_fills_its_length(script: Script) -> None:
    engine = script("\nOn the water\nOn the shore\n\n", LyricRules())
    assert song(engine, length=40).finish_reason == "length"


def test_a_chorus_that_does_not_fit_is_not_begun(script: Script) -> None:
    engine = script(SONG, LyricRules(choruses_return=True, has_stanzas=True))
    length = len(SongTokenizer.load(engine.checkpoint).split(SONG)) + 4
    written = song(engine, length=length)
    assert written.lyric == f"[Verse 1]\nTwo lanterns{SONG}".removesuffix("\n\n[Chorus]\n")
    assert written.finish_reason == "stop"


def seen(engine: BatchingEngine, request: Request) -> list[str]:
    """Return the tokens that the penalty holds back after the request's one song."""
    found: list[list[int]] = []
    real = penalize

    def spy(logits: torch.Tensor, ids: torch.Tensor, penalty: torch.Tensor) -> None:
        found.append(ids[0].tolist())
        real(logits, ids, penalty)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.engines.batching, "penalize", spy)
        run(engine, RequestState(request))
    tokenizer = SongTokenizer.load(engine.checkpoint)
    return [tokenizer.text_of(number) for number in found[-1] if number >= 0]


def test_the_penalty_counts_the_words_of_the_lyric_alone(script: Script) -> None:
    text = ", two\n\n[Verse 2]\nlanterns."
    engine = script(text, LyricRules(penalizes_words=True))
    length = len(SongTokenizer.load(engine.checkpoint).split(text))
    request = replace(
        make_request("[Verse 1]\nOn", max_length=length, num_return_sequences=1), header=Header(genre="x")
    )
    counted = seen(engine, request)
    assert "".join(counted) == "On twolanterns"


def test_without_the_rule_it_counts_every_token(script: Script) -> None:
    engine = script(", two\n", LyricRules())
    counted = seen(engine, make_request("[Verse 1]\nOn", max_length=6, num_return_sequences=1))
    assert "".join(counted).startswith("[Verse 1]\nOn, two")


@pytest.mark.parametrize(
    ("penalizes", "option", "expected"),
    [
        ("words", "auto", True),
        ("tokens", "auto", False),
        ("words", "tokens", False),
        ("tokens", "words", True),
        (None, "auto", False),
        (None, "words", True),
    ],
)
def test_the_host_has_the_last_word_on_the_penalty(
    tiny_checkpoint: Path,
    penalizes: str | None,
    option: str,
    expected: bool,  # noqa: FBT001
) -> None:
    metadata = None if penalizes is None else make_metadata().model_copy(update={"penalizes": penalizes})
    options = EngineOptions(penalizes=option)  # type: ignore[arg-type]
    assert LyricRules.of(Checkpoint("x", tiny_checkpoint, metadata), options).penalizes_words is expected


def test_choruses_return_where_the_checkpoint_learnt_so_and_the_host_lets_them(tiny_checkpoint: Path) -> None:
    learnt = make_metadata().model_copy(update={"choruses_return": True, "has_stanzas": True, "unit": "line"})
    checkpoint = Checkpoint("x", tiny_checkpoint, learnt)
    assert LyricRules.of(checkpoint, EngineOptions()) == LyricRules(
        choruses_return=True, has_stanzas=True, line_by_line=True
    )
    assert not LyricRules.of(checkpoint, EngineOptions(choruses_return=False)).choruses_return
    assert LyricRules.of(replace(checkpoint, metadata=make_metadata()), EngineOptions()) == LyricRules()
