"""How a checkpoint's songs are written beside their sampling: what the penalty counts, what returns, where they end."""

from dataclasses import dataclass
from typing import Self

from model.checkpoint.folder import Checkpoint
from model.engines.interface import EngineOptions
from model.structure import may_end, returning_lines

_UNFINISHED_CHARACTER = "\ufffd"


@dataclass(frozen=True, slots=True)
class LyricRules:
    """The rules of a checkpoint; all off, songs are written as transformers' ``generate`` writes them."""

    penalizes_words: bool = False
    """Whether the repetition penalty counts the words of the lyric alone.

    Counting every token, lines grow longer and longer: the break at a line's end is held back by all breaks before.
    """
    choruses_return: bool = False
    """Whether a chorus that opens again gets its lines of before."""
    has_stanzas: bool = False
    """Whether a song ends where its next stanza, or couplet, does not fit in its length."""
    line_by_line: bool = False
    """Whether what the model ends is a line: the song goes on with a new one until its length."""

    @classmethod
    def of(cls, checkpoint: Checkpoint, options: EngineOptions) -> Self:
        """Return what the checkpoint learnt, as far as the host lets it."""
        metadata = checkpoint.metadata
        if metadata is None:
            return cls(penalizes_words=options.penalizes == "words")
        penalizes = metadata.penalizes if options.penalizes == "auto" else options.penalizes
        returns = metadata.choruses_return and options.choruses_return
        return cls(penalizes == "words", returns, metadata.has_stanzas, metadata.unit == "line")

    def counts(self, piece: str, before: str) -> bool:
        """Return whether the repetition penalty counts a token.

        Args:
            piece: The text of the token.
            before: The lyric before it.
        """
        if not self.penalizes_words:
            return True
        line = (before + piece).rpartition("\n")[2]
        is_word = any(character.isalnum() or character == _UNFINISHED_CHARACTER for character in piece)
        return is_word and not line.startswith("[")

    def returning(self, lyric: str) -> str | None:
        """Return the lines that come next without being drawn, if there are any; see ``returning_lines``."""
        return returning_lines(lyric) if self.choruses_return else None

    def ends(self, lyric: str, room: float) -> bool:
        """Return whether a lyric ends where it is, with room for so many characters; see ``may_end``."""
        return self.has_stanzas and may_end(lyric, room)
