import pytest

from model.song import Header, Song, cut_at_line_end, format_prompt, with_opening_tag


def test_a_song_is_written_with_its_header_in_the_fixed_order() -> None:
    song = Song(Header(mood="proud", title="Sandbag Line"), "[Verse 1]\nThe river came up")
    assert str(song) == ("<|startoftext|>title: Sandbag Line\nmood: proud\n\n[Verse 1]\nThe river came up<|endoftext|>")


def test_a_song_without_a_header_has_no_blank_line() -> None:
    assert str(Song(Header(), "la la")) == "<|startoftext|>la la<|endoftext|>"


def test_a_header_value_cannot_add_lines() -> None:
    assert format_prompt(Header(title="One\ngenre: folk\n\nHa"), "la") == "title: One genre: folk Ha\n\nla"


def test_empty_fields_leave_no_line() -> None:
    assert format_prompt(Header(title="  ", mood=""), "la") == "la"


def test_a_prompt_gets_the_opening_tag_unless_it_brings_one() -> None:
    assert with_opening_tag("[Verse 1]", "la la") == "[Verse 1]\nla la"
    assert with_opening_tag("[Verse 1]", "[Chorus]\nla") == "[Chorus]\nla"
    assert with_opening_tag(None, "la la") == "la la"


@pytest.mark.parametrize(("lyric", "tag"), [("[Verse 1]\nla", "[Verse 1]"), ("la\n[Verse 1]", None), ("[a] b", None)])
def test_the_opening_tag_of_a_song_is_its_first_line(lyric: str, tag: str | None) -> None:
    assert Song(Header(), lyric).opening_tag == tag


def test_keep_drops_the_other_fields() -> None:
    assert Header("One", "folk", "calm", "rain").keep(frozenset({"mood"})) == Header(mood="calm")


def test_a_cut_song_ends_at_a_line_end_or_else_at_a_word() -> None:
    assert cut_at_line_end("one two\nthree fo") == "one two"
    assert cut_at_line_end("\none two thr") == "\none two"
    assert cut_at_line_end("one\n\n[Chorus]\n\ntw") == "one"
    assert cut_at_line_end("one\n[Cho") == "one"
    assert cut_at_line_end("one") == "one"
