import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from train.tokens.vocabulary import learn_tokenizer

LINES = [
    "I sat down on the chair",
    "At the top of the stair",
    "I was singing, you were bringing",
    "All the letters to the water, to the daughter.",
    "The stone and the bone",
    "A chair in a hall is a chair for all",
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    folder = tmp_path_factory.mktemp("tokenizer")
    learn_tokenizer(["\n".join(LINES * 50) + "\n"], 600).save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    return loaded


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("at the top of the stair\n", ["Ġst", "air"]),
        ("on the chair,\n", ["Ġch", "air"]),
        ("the bone!\n", ["Ġb", "one"]),
        ("you were bringing\n", ["Ġbr", "inging"]),
        ("of the chair in the\n", ["Ġchair"]),  # not the last of its line
        ("of the chair", ["Ġchair"]),  # and so far it may go on
    ],
)
def test_the_last_word_of_a_line_is_split_where_it_rhymes(
    line: str, word: list[str], tokenizer: PreTrainedTokenizerBase
) -> None:
    tokens = tokenizer.tokenize(line)
    assert word in [tokens[start : start + len(word)] for start in range(len(tokens))]


@pytest.mark.parametrize("text", ["", "\n", "a\n", " \n\n", "Ça\n日本 \n🎵\n", "\n".join(LINES), "don't\nI'll  say\n"])
def test_nothing_is_lost(text: str, tokenizer: PreTrainedTokenizerBase) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text
