"""CTranslate2, whose calls have one set of parameters for all rows."""

import json
from collections.abc import Sequence

import ctranslate2
from ctranslate2.converters import TransformersConverter
from transformers import AutoTokenizer

from benchmarks.peers import Setup, Side
from model import SamplingParams


def load(setup: Setup, kind: str) -> Side:
    """Return the model in ``kind``, float32 or int8."""
    converted = setup.work / "ctranslate2"
    names = AutoTokenizer.from_pretrained(setup.checkpoint).convert_ids_to_tokens
    if not converted.exists():
        TransformersConverter(str(setup.checkpoint)).convert(str(converted))
        # It does not load without special tokens; ``min_length`` keeps the end from being drawn.
        config = converted / "config.json"
        special = dict.fromkeys(("bos_token", "eos_token", "unk_token"), names(0))
        config.write_text(json.dumps(json.loads(config.read_text()) | special))
    generator = ctranslate2.Generator(
        str(converted), device="cpu", compute_type=kind, intra_threads=setup.threads, inter_threads=1
    )

    def generate(prompts: Sequence[Sequence[int]], sampling: SamplingParams) -> None:
        generator.generate_batch(
            [names(list(prompt)) for prompt in prompts],
            max_length=sampling.max_length,
            min_length=sampling.max_length,
            sampling_temperature=sampling.temperature,
            sampling_topk=sampling.top_k,
            sampling_topp=sampling.top_p,
            repetition_penalty=sampling.repetition_penalty,
            include_prompt_in_result=False,
        )

    return generate
