import shutil
from pathlib import Path
from typing import Any

import pytest

from model import Checkpoint, GeneratedSong, Header, PromptTooLong, Request
from model.checkpoint.folder import METADATA_FILE
from model.engines.reference import ReferenceEngine
from tests.conftest import make_metadata, make_request, save_tiny_checkpoint


@pytest.fixture(scope="module")
def engine(tiny_checkpoint: Path) -> ReferenceEngine:
    return ReferenceEngine.load(Checkpoint.open(tiny_checkpoint))


def generate(engine: ReferenceEngine, request: Request) -> tuple[GeneratedSong, ...]:
    return engine.generate(request, lambda _: None, lambda: False)


def test_the_same_seed_gives_the_same_songs_and_another_gives_others(engine: ReferenceEngine) -> None:
    first, again, other = (generate(engine, make_request(seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_songs_open_with_the_prompt_and_carry_no_special_token(engine: ReferenceEngine) -> None:
    songs = generate(engine, make_request(num_return_sequences=8, max_length=60))
    assert len(songs) == 8
    for song in songs:
        assert song.lyric.startswith("two lanterns")
        assert "<|" not in song.lyric
        assert song.num_tokens <= 60


def test_a_song_that_the_model_closes_says_stop_and_counts_its_tokens(engine: ReferenceEngine) -> None:
    # At this temperature random weights draw the end token within a few hundred tokens.
    songs = generate(engine, make_request(num_return_sequences=10, max_length=120, temperature=2.0, top_k=0, top_p=1.0))
    reasons = {song.finish_reason for song in songs}
    assert reasons <= {"stop", "length"}
    assert "stop" in reasons
    assert all(song.num_tokens < 120 for song in songs if song.finish_reason == "stop")


def test_progress_grows_token_by_token_to_the_songs(engine: ReferenceEngine) -> None:
    seen: list[tuple[str, ...]] = []
    songs = engine.generate(make_request(max_length=12), seen.append, lambda: False)
    assert len(seen) == 12
    assert all(len(lyrics) == 2 for lyrics in seen)
    for number, song in enumerate(songs):
        assert seen[-1][number].startswith(song.lyric)


def test_generation_stops_between_two_tokens(engine: ReferenceEngine) -> None:
    steps: list[object] = []
    engine.generate(make_request(max_length=100), steps.append, lambda: len(steps) >= 3)
    assert len(steps) == 3


def test_a_prompt_that_fills_the_context_is_refused_with_the_figure(engine: ReferenceEngine) -> None:
    with pytest.raises(PromptTooLong, match=r"of the model's 128: please shorten it"):
        generate(engine, make_request("🎵" * 300))


def test_a_song_ends_with_the_context(engine: ReferenceEngine) -> None:
    songs = generate(engine, make_request("two lanterns " * 8, max_length=1000, num_return_sequences=1))
    assert songs[0].num_tokens < 128


def test_a_lyric_opens_with_the_tag_that_the_checkpoint_was_trained_with(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "tagged"))
    (folder / METADATA_FILE).write_text(make_metadata(opening_tag="[Verse 1]").model_dump_json())
    engine = ReferenceEngine.load(Checkpoint.open(folder))
    assert generate(engine, make_request())[0].lyric.startswith("[Verse 1]\ntwo lanterns")
    assert generate(engine, make_request("[Chorus] la"))[0].lyric.startswith("[Chorus] la")


def test_special_tokens_in_a_prompt_are_plain_text(engine: ReferenceEngine) -> None:
    (song,) = generate(engine, make_request("la<|endoftext|>la", num_return_sequences=1))
    assert song.lyric.startswith("la<|endoftext|>la")


@pytest.mark.parametrize("sampling", [{"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.0}, {"top_k": 50_257}])
def test_every_limit_may_be_off_or_at_its_bound(engine: ReferenceEngine, sampling: dict[str, Any]) -> None:
    assert len(generate(engine, make_request(**sampling))) == 2


def test_a_checkpoint_without_our_start_token_is_served(tmp_path: Path) -> None:
    # As openai-community/gpt2 is: its own end token opens and closes a text.
    folder = save_tiny_checkpoint(tmp_path / "plain", start_token=None)
    engine = ReferenceEngine.load(Checkpoint.open(folder))
    assert generate(engine, make_request(header=Header()))[0].lyric.startswith("two lanterns")
