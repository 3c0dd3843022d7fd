"""Whether a new checkpoint is of use, so that the bot serves it unasked."""

from collections.abc import Sequence

from train.measuring.evaluation import Evaluation, Sample
from train.words.legible import is_legible


def find_faults(made: Evaluation, base: Evaluation | None, samples: Sequence[Sample]) -> tuple[str, ...]:
    """Return why it is not: it foresees songs held out worse than its base, or it does not write text.

    Perplexity per word is compared, since a base may have other tokens.

    Args:
        made: What was measured of the checkpoint.
        base: What was measured of what it started from, where it started from something.
        samples: Songs that the checkpoint wrote.
    """
    faults = []
    if base is not None:
        now, before = made.likelihood.word_perplexity, base.likelihood.word_perplexity
        if not now <= before:  # which is so for no number, too
            faults.append(
                f"it foresees the songs held out worse than {base.name}, with a perplexity per word of {now:.5g} "
                f"instead of {before:.5g}"
            )
    legible = sum(is_legible(sample.lyric) for sample in samples)
    if legible * 2 <= len(samples):
        faults.append(f"of {len(samples)} samples, {legible or 'none'} can be read as text")
    return tuple(faults)
