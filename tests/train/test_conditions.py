import json
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from train.conditions import Condition
from train.config import DataConfig
from train.songs.problems import DataError
from train.songs.reading import Reading

Read = Callable[..., Reading]


@pytest.mark.parametrize(
    ("condition", "cell", "holds"),
    [
        ("views>=1000", 1000, True),
        ("views >= 1000", "999", False),
        ("views<1e3", "0999.5", True),
        ("language=en", " EN ", True),
        ("language == en", "de", False),
        ("language!=en", "de", True),
        ("period>1850", "1850-1875", True),  # as text, for it is no number
        ("period>1850", "1800-1850", False),
        ("genre=hip hop", "Hip Hop", True),
        ("views>5", None, False),
        ("views<5", "", False),
        ("views!=5", None, False),
    ],
)
def test_a_condition_compares_numbers_as_numbers_and_all_else_as_text(
    condition: str,
    cell: object,
    holds: bool,  # noqa: FBT001
) -> None:
    parsed = Condition.parse(condition)
    assert parsed.holds({parsed.column: cell}) is holds


def test_what_is_no_condition_is_refused_with_the_form_of_one() -> None:
    with pytest.raises(ValidationError, match="'english' is no condition: write COLUMN=VALUE"):
        DataConfig(data=("x",), where=("english",))


def rows(*values: dict[str, object]) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


FOUR = rows(
    {"lyrics": "one two three", "language": "en", "views": 5},
    {"lyrics": "eins zwei drei", "language": "de", "views": 9},
    {"lyrics": "four five six", "language": "en", "views": 50},
    {"lyrics": "seven eight nine", "language": "en", "views": 500},
)


def test_rows_that_do_not_meet_every_condition_are_left_out_and_counted(read: Read) -> None:
    reading = read("songs.jsonl", FOUR, where=("language=en", "views>5"))
    assert [song.lyric for song in reading.songs] == ["four five six", "seven eight nine"]
    assert [str(problem).partition(": ")[2] for problem in reading.problems] == ["--where leaves out 2 rows"]


def test_other_conditions_are_other_songs_in_the_cache(read: Read) -> None:
    assert len(read("songs.jsonl", FOUR).songs) == 4
    assert len(read("songs.jsonl", FOUR, where=("language=en",)).songs) == 3


def test_a_column_that_is_not_there_is_named_with_those_that_are(read: Read) -> None:
    with pytest.raises(DataError, match=r"no column 'lang' \(it has lyrics, .*: correct --where lang=en"):
        read("songs.jsonl", FOUR, where=("lang=en",))


def test_text_files_have_no_columns_to_choose_by(read: Read) -> None:
    assert len(read("songs.txt", "one two\n---\nthree four", where=("language=en",)).songs) == 2
