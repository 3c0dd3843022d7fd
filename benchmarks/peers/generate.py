"""transformers' ``generate`` over all rows at once; with one row, that is a host's one request at a time."""

from collections.abc import Sequence

import torch
from transformers import AutoModelForCausalLM

from benchmarks.peers import Setup, Side
from model import SamplingParams


def load(setup: Setup) -> Side:
    """Return the model in float32."""
    model = AutoModelForCausalLM.from_pretrained(setup.checkpoint, dtype=torch.float32).eval()

    def generate(prompts: Sequence[Sequence[int]], sampling: SamplingParams) -> None:
        model.generate(
            torch.tensor(prompts),
            attention_mask=torch.ones(len(prompts), len(prompts[0]), dtype=torch.int64),
            do_sample=True,
            max_new_tokens=sampling.max_length,
            min_new_tokens=sampling.max_length,
            pad_token_id=0,
            eos_token_id=0,
            **sampling.model_dump(include={"temperature", "top_k", "top_p", "repetition_penalty"}),
        )

    return generate
