import copy
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from train.learning.optimizer import MuonWithAdamW


def load(folder: Path) -> tuple[PreTrainedModel, MuonWithAdamW]:
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder).eval()
    return model, MuonWithAdamW(model, lr=0.01, weight_decay=0.1)


def step(model: PreTrainedModel, optimizer: torch.optim.Optimizer, seed: int) -> float:
    ids = torch.randint(0, 300, (2, 16), generator=torch.Generator().manual_seed(seed))
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return float(loss.detach())


def test_muon_takes_the_matrices_and_adamw_all_else(tiny_checkpoint: Path) -> None:
    model, optimizer = load(tiny_checkpoint)
    muon, adamw = optimizer.param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    matrices = {names[id(parameter)] for parameter in muon["params"]}
    assert matrices == {
        name for name in names.values() if ".h." in name and name.endswith("weight") and ".ln_" not in name
    }
    assert {names[id(parameter)] for parameter in adamw["params"]} == set(names.values()) - matrices


def test_it_learns_at_the_rate_that_a_scheduler_sets(tiny_checkpoint: Path) -> None:
    model, optimizer = load(tiny_checkpoint)
    first = step(model, optimizer, 1)
    assert step(model, optimizer, 1) < first
    before = [parameter.clone() for parameter in model.parameters()]
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 0.0)
    step(model, optimizer, 1)
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    del scheduler


def test_its_state_is_all_that_it_needs_to_go_on(tiny_checkpoint: Path) -> None:
    model, optimizer = load(tiny_checkpoint)
    for seed in range(3):
        step(model, optimizer, seed)
    twin, other = load(tiny_checkpoint)
    twin.load_state_dict(model.state_dict())
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert [step(twin, other, seed) for seed in (3, 4)] == pytest.approx(
        [step(model, optimizer, seed) for seed in (3, 4)], rel=1e-6
    )
