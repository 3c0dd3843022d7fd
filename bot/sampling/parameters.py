"""The one table of what members, servers and hosts may set: commands, settings, ceilings and defaults are made of it.

Types, bounds and the model's defaults are those of ``SamplingParams``; what stands here is how each is spoken of. A new
parameter is a field there and a row here, its translations and its line in the README.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Interval

from model.sampling.params import BOUNDS


@dataclass(frozen=True, slots=True)
class Parameter:
    """A sampling parameter as the bot offers it."""

    name: str
    command: str
    """What the member's command does."""
    value: str
    """What its value means."""
    default: str | None = None
    """What a default of the host's or a server's is; none where there is none, as all would get the same songs."""
    ceiling: str | None = None
    """What a ceiling is; none where there is none: one stands over what makes songs wild, or makes others wait."""
    optional: bool = False
    """Whether a member may set it to nothing."""

    @property
    def bounds(self) -> Interval:
        """From where to where it goes."""
        return BOUNDS[self.name]

    @property
    def kind(self) -> type[int] | type[float]:
        """What its values are."""
        return int if isinstance(self.bounds.ge, int) else float

    @property
    def annotation(self) -> Any:
        """Its values within its bounds, for pydantic."""
        return Annotated[self.kind, self.bounds]


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "temperature",
        command="Set how daring the words are.",
        value="0.1 is safe, 2 is wild",
        default="How daring the words are, for who has not said otherwise",
        ceiling="The most daring that anybody may set",
    ),
    Parameter(
        "max_length",
        command="Set how long a song may get, at most up to the model's own limit.",
        value="Tokens a song, a token being about four letters",
        default="Tokens to write for each song, for who has not said otherwise",
        ceiling="The most tokens of a song that anybody may ask for",
    ),
    Parameter(
        "num_return_sequences",
        command="Set how many songs you get.",
        value="Songs a request",
        default="Songs for each request, for who has not said otherwise",
        ceiling="The most songs of a request that anybody may ask for",
    ),
    Parameter(
        "seed",
        command="Fix the seed: the same prompt and settings then give the same songs.",
        value="Leave it out to draw a new one each time",
        optional=True,
    ),
    Parameter(
        "top_p",
        command="Choose among the likeliest tokens that together reach this probability.",
        value="A probability; 1 turns the limit off",
        default="Up to which probability together, for who has not said otherwise",
    ),
    Parameter(
        "top_k",
        command="Choose each token among this many of the likeliest.",
        value="How many; 0 turns the limit off",
        default="Among how many of the likeliest tokens each is chosen, for who has not said otherwise",
    ),
    Parameter(
        "repetition_penalty",
        command="Hold back tokens that were used before.",
        value="1 turns it off, 2 is strong",
        default="How much used tokens are held back, for who has not said otherwise",
    ),
)
"""In the order in which members are offered them: what most want before the rest."""

DEFAULTS: tuple[Parameter, ...] = tuple(parameter for parameter in PARAMETERS if parameter.default)
"""Those that a host or a server may have a default of."""

CEILED: tuple[str, ...] = tuple(parameter.name for parameter in PARAMETERS if parameter.ceiling)
"""The names of those that may have a ceiling."""
