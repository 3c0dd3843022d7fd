import pytest

from model.song import Header, Song, cut_at_line_end, format_prompt, parse_song, with_opening_tag


def test_a_song_is_written_with_its_header_in_the_fixed_order() -> None:
    song = Song(Header(mood="proud", title="Sandbag Line"), "[Verse 1]\nThe river came up")
    assert str(song) == ("<|startoftext|>title: Sandbag Line\nmood: proud\n\n[Verse 1]\nThe river came up<|endoftext|>")


def test_a_song_without_a_header_has_no_blank_line() -> None:
    assert str(Song(Header(), "la la")) == "<|startoftext|>la la<|endoftext|>"


def test_what_was_written_is_read_back() -> None:
    song = Song(Header("One", "folk", "calm", "rain"), "[Verse 1]\nLine\n\n[Chorus]\nLine")
    assert parse_song(str(song)) == song


def test_header_lines_are_read_in_any_order_and_with_windows_line_ends_stripped() -> None:
    assert parse_song("genre: folk \ntitle:One\n\nLine\n") == Song(Header(title="One", genre="folk"), "Line")


def test_a_lyric_that_begins_like_a_header_stays_whole() -> None:
    text = "title: that is all she wrote\nand then she left"
    assert parse_song(text) == Song(Header(), text)


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
