import pytest
from pydantic import ValidationError
from transformers import GenerationConfig

from model import SamplingParams, describe_violations


def test_the_defaults_are_the_design_cards() -> None:
    assert SamplingParams().model_dump() == {
        "temperature": 0.7,
        "top_k": 50,
        "top_p": 0.95,
        "repetition_penalty": 1.2,
        "max_length": 100,
        "num_return_sequences": 3,
        "seed": None,
    }


def test_the_names_are_those_of_transformers() -> None:
    names = SamplingParams.model_fields.keys() - {"seed"}
    assert all(hasattr(GenerationConfig(), name) for name in names)


def test_all_violations_are_reported_together() -> None:
    with pytest.raises(ValidationError) as caught:
        SamplingParams.model_validate({"temperature": 9.0, "top_k": -1, "top_p": 1.5, "warmth": 3})
    lines = describe_violations(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["temperature", "top_k", "top_p", "warmth"]
    assert "2" in lines[0]
    assert "9.0" in lines[0]


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("temperature", 0.1, 2.0),
        ("top_k", 0, 50_257),
        ("top_p", 0.0, 1.0),
        ("repetition_penalty", 1.0, 2.0),
        ("max_length", 1, 1000),
        ("num_return_sequences", 1, 10),
        ("seed", 0, 2**32 - 1),
    ],
)
def test_each_bound_is_allowed_and_what_is_beyond_is_not(name: str, lowest: float, highest: float) -> None:
    for value in (lowest, highest):
        assert getattr(SamplingParams.model_validate({name: value}), name) == value
    for value in (lowest - 1, highest + 1):
        with pytest.raises(ValidationError):
            SamplingParams.model_validate({name: value})


def test_nan_is_refused() -> None:
    with pytest.raises(ValidationError):
        SamplingParams(temperature=float("nan"))


def test_a_seed_is_drawn_only_where_there_is_none() -> None:
    assert SamplingParams(seed=0).seeded().seed == 0
    drawn = {SamplingParams().seeded().seed for _ in range(8)}
    assert len(drawn) > 1
    assert None not in drawn
