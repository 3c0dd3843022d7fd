"""How songs are sampled: the parameters, their defaults and, here alone, their bounds."""

import secrets
from typing import Annotated, Self

from annotated_types import Interval
from pydantic import BaseModel, ConfigDict, Field

TEMPERATURE = Interval(ge=0.1, le=2.0)
TOP_K = Interval(ge=0, le=50_257)
TOP_P = Interval(ge=0.0, le=1.0)
REPETITION_PENALTY = Interval(ge=1.0, le=2.0)
MAX_LENGTH = Interval(ge=1, le=1000)
NUM_RETURN_SEQUENCES = Interval(ge=1, le=10)
SEED = Interval(ge=0, le=2**32 - 1)

BOUNDS: dict[str, Interval] = {
    "temperature": TEMPERATURE,
    "top_k": TOP_K,
    "top_p": TOP_P,
    "repetition_penalty": REPETITION_PENALTY,
    "max_length": MAX_LENGTH,
    "num_return_sequences": NUM_RETURN_SEQUENCES,
    "seed": SEED,
}
"""Each parameter's by its name."""


class SamplingParams(BaseModel):
    """Sampling parameters of one request, named as in transformers' ``GenerationConfig``.

    Raises:
        pydantic.ValidationError: On construction, listing every value that is out of bounds at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    temperature: Annotated[float, TEMPERATURE] = Field(
        0.7, description="How daring the words are: 0.1 is safe, 2 is wild"
    )
    top_k: Annotated[int, TOP_K] = Field(
        50, description="Choose each token among this many of the likeliest; 0 turns the limit off"
    )
    top_p: Annotated[float, TOP_P] = Field(
        0.95, description="Choose among the likeliest tokens that together reach this probability"
    )
    repetition_penalty: Annotated[float, REPETITION_PENALTY] = Field(
        1.2, description="How much a token that was used before is held back; 1 turns it off"
    )
    max_length: Annotated[int, MAX_LENGTH] = Field(100, description="Tokens to write for each song, after the prompt")
    num_return_sequences: Annotated[int, NUM_RETURN_SEQUENCES] = Field(3, description="How many songs to write")
    seed: Annotated[int, SEED] | None = Field(
        None, description="The same seed and prompt give the same songs; none draws a new one each time"
    )

    def seeded(self) -> Self:
        """Return these parameters with a seed: their own, or else one drawn now, so that it can be shown."""
        if self.seed is not None:
            return self
        return self.model_copy(update={"seed": secrets.randbelow(2**32)})
