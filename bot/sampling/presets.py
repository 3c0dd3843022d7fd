"""Sampling parameters that go well together, by a name that says how the songs will be."""

from typing import Literal

from model import SamplingParams

Preset = Literal["safe", "classic", "wild"]

PRESETS: dict[Preset, SamplingParams] = {
    "safe": SamplingParams(temperature=0.5, top_k=30, top_p=0.9, repetition_penalty=1.2),
    "classic": SamplingParams(temperature=0.7, top_k=50, top_p=0.95, repetition_penalty=1.2),
    "wild": SamplingParams(temperature=1.1, top_k=0, top_p=0.98, repetition_penalty=1.1),
}
"""How many songs and how long is a matter of its own, as is the seed."""

DESCRIPTIONS: dict[Preset, str] = {
    "safe": "plain words, close to the songs that the model learnt",
    "classic": "the middle way",
    "wild": "surprising words, and now and then none that make sense",
}
