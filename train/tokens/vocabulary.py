r"""The tokenizer of a model from scratch: GPT-2's byte-level BPE, which here can hear where a line rhymes.

The last word of a line is split before the sound that it rhymes with ("st|air", "l|ight"), so that "chair" ends on
the token that "stair" ended on: rhyming, which a model of whole words must learn pair by pair, is then mostly to
repeat a token, the first thing that a transformer learns from its context (`Olsson et al. 2022
<https://arxiv.org/abs/2209.11895>`_). Spelling stands for sound, as near as it does in English: from the last vowels
on, or from those before them where the last syllable is one that is seldom stressed ("w|ater", "s|inging").
"""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from model.song import BOS_TOKEN, EOS_TOKEN

_UNSTRESSED = "er|ers|ing|ings|le|ly|y|en|on|ow|e|es|ed"

_RHYME = rf"(?i)(?<=\p{{L}})[aeiouy]+(?:[^aeiouy\W\d_]+(?:{_UNSTRESSED})?)?(?=[^\w\n]*\n)"
"""What the last word of a line rhymes by: inside a word, and up to its end, and with no other word before the break."""


def learn_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerBase:
    """Return a byte-level BPE tokenizer of at most ``vocab_size`` tokens, learnt from ``texts``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_RHYME), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False)


def name_special_tokens(tokenizer: PreTrainedTokenizerBase, *, may_add: bool = True) -> None:
    """Give a tokenizer a start, an end and a padding token.

    Those that it declares stay; but where one token is both start and end, as GPT-2's is, songs get a start of their
    own, unless ``may_add`` forbids that.
    """
    end = tokenizer.eos_token or EOS_TOKEN
    start = tokenizer.bos_token or (BOS_TOKEN if may_add else end)
    if start == end and may_add:
        start = BOS_TOKEN
    tokenizer.add_special_tokens({"bos_token": start, "eos_token": end, "pad_token": end})
