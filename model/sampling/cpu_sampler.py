"""Draws the next token of every row on the CPU, a row at a time, without sorting: compiled, and without the GIL.

Which tokens pass a filter is found by bisection: the 32 bits of a float, read as an integer, are in the order of the
floats, so that 32 sums over the tokens find the score at which a filter cuts, to the last bit.
"""

import numpy as np
from numpy.typing import NDArray

from model.network.cpu_kernels import Array, Indices, compiled, exp

Doubles = NDArray[np.float64]

_F = np.float32
_I = np.int32

_BLOCK = 32
"""Tokens whose greatest score stands for them while the likeliest are sought."""

_NOTHING = -1


@compiled
def penalize(logits: Array, seen: Indices, penalty: Array) -> None:
    """Hold back, in place, the tokens that a row has seen; see ``model.sampling.sampler.penalize``."""
    rows, count = seen.shape
    scores = np.empty(count, np.float32)
    for row in range(rows):
        for place in range(count):
            scores[place] = logits[row, seen[row, place]] if seen[row, place] >= 0 else _F(0)
        for place in range(count):
            score = scores[place]
            if seen[row, place] < 0:
                continue
            logits[row, seen[row, place]] = score * penalty[row, 0] if score < _F(0) else score / penalty[row, 0]


@compiled
def sample(logits: Array, temperature: Array, top_k: Indices, top_p: Doubles, uniform: Doubles) -> Indices:
    """Draw a token for each row; see ``model.sampling.sampler.sample``."""
    rows, vocabulary = logits.shape
    tokens = np.empty(rows, np.int64)
    ids, scores, weights = (
        np.empty(vocabulary, np.int64),
        np.empty(vocabulary, np.float32),
        np.empty(vocabulary, np.float32),
    )
    for row in range(rows):
        count = choose(logits[row], temperature[row, 0], top_k[row, 0], top_p[row, 0], ids, scores, weights)
        tokens[row] = ids[_place(weights[:count], uniform[row, 0])] if count else _NOTHING
    return tokens


@compiled
def choose(
    logits: Array, temperature: np.float32, top_k: int, top_p: float, ids: Indices, scores: Array, weights: Array
) -> int:
    """Write how likely tokens are to ``weights``, 0 where a filter takes them out, and which they are to ``ids``.

    Returns:
        How many that is; none where a logit is NaN or infinity, or all are minus infinity.
    """
    greatest = np.empty((len(logits) + _BLOCK - 1) // _BLOCK, np.float32)
    if not _find_greatest(logits, greatest):
        return 0
    least = _F(np.finfo(np.float32).min)
    total = 0.0
    if top_k < len(logits):
        count = _gather(logits, greatest, _reached_by(greatest, top_k), temperature, ids, scores)
        # Top-k (Fan et al., 2018) leaves what is as likely as the last of them, too.
        weights[:count] = _F(1)
        least = max(least, _cut(scores[:count], weights, float(top_k)))
    else:
        total = _total(logits, _highest(greatest), temperature)
        bound = _lost_below(logits, _highest(greatest), temperature, top_p, total)
        count = _gather(logits, greatest, bound, temperature, ids, scores)
    gathered = _weigh(scores[:count], least, weights)
    if top_p < 1:
        _apply_top_p(scores[:count], weights, top_p * (total or gathered))
    return count


@compiled
def _total(logits: Array, highest: np.float32, temperature: np.float32) -> float:
    """Return how much all tokens weigh, where the highest weighs 1."""
    highest /= temperature
    total = 0.0
    for token in range(len(logits)):
        total += float(exp(logits[token] / temperature - highest))
    return total


@compiled
def _lost_below(logits: Array, highest: np.float32, temperature: np.float32, top_p: float, total: float) -> np.float32:
    """Return a logit below which top-p leaves no token, as all those together weigh less than it cuts off.

    It is minus infinity where that spares too few tokens to be worth choosing them.
    """
    if top_p >= 1:
        return _F(-np.inf)
    bound = _F(highest + temperature * np.log(0.99 * (1 - top_p) * total / len(logits)))
    count = 0
    for token in range(len(logits)):
        count += logits[token] >= bound
    return bound if count < len(logits) // 4 else _F(-np.inf)


@compiled
def _weigh(scores: Array, least: np.float32, weights: Array) -> float:
    """Write how likely scores are, where the highest weighs 1 and what is below ``least`` 0; return the sum."""
    highest = _highest(scores)
    total = 0.0
    for place in range(len(scores)):
        weights[place] = exp(scores[place] - highest) if scores[place] >= least else _F(0)
        total += float(weights[place])
    return total


@compiled
def _apply_top_p(scores: Array, weights: Array, limit: float) -> None:
    """Leave tokens their weight while those that are likelier weigh less than the limit (Holtzman et al., 2020).

    Of equal ones only so many are left as it takes, but always one.
    """
    bound = _cut(scores, weights, limit)
    above, weight, num_equal = 0.0, 0.0, 0
    for place in range(len(scores)):
        above += float(weights[place]) if scores[place] > bound else 0.0
        weight = max(weight, float(weights[place]) if scores[place] == bound else 0.0)
        num_equal += scores[place] == bound
        weights[place] = weights[place] if scores[place] >= bound else _F(0)
    num_left = max(1, int(np.ceil((limit - above) / weight))) if weight > 0 else 1
    # The first of them go, as a stable sort has it.
    place = 0
    while num_equal > num_left:
        if scores[place] == bound:
            weights[place] = _F(0)
            num_equal -= 1
        place += 1


@compiled
def _place(weights: Array, uniform: float) -> int:
    """Return where the running sum of the weights passes that share of their total."""
    total = 0.0
    for place in range(len(weights)):
        total += float(weights[place])
    target, running = uniform * total, 0.0
    for start in range(0, len(weights), _BLOCK):
        block = weights[start : start + _BLOCK]
        weight = 0.0
        for place in range(len(block)):
            weight += float(block[place])
        if running + weight <= target:
            running += weight
            continue
        for place in range(len(block)):
            running += float(block[place])
            if block[place] > 0 and running > target:
                return start + place
    # Sums in another order may miss the target by a last bit: then it is the last token that has any weight.
    last = len(weights) - 1
    while weights[last] == 0:
        last -= 1
    return last


@compiled
def _key(value: np.float32) -> np.int32:
    """Return an integer in the order of the floats."""
    bits = _F(value).view(np.int32)
    return _I(bits ^ ((bits >> _I(31)) & _I(0x7FFFFFFF)))


@compiled
def _value(key: int | np.int32) -> np.float32:
    """Return the float of a key."""
    bits = _I(key)
    return _I(bits ^ ((bits >> _I(31)) & _I(0x7FFFFFFF))).view(np.float32)


@compiled
def _find_greatest(logits: Array, greatest: Array) -> bool:
    """Write the greatest score of each block; return whether there is a token to draw.

    There is none where a score is NaN or infinity, or all are minus infinity.
    """
    bits = logits.view(np.int32)
    whole = len(logits) // _BLOCK
    size, highest = _I(0), _key(_F(-np.inf))
    for block in range(len(greatest)):
        start = block * _BLOCK
        key = _key(logits[start])
        # Only a loop of known length vectorizes.
        for place in range(_BLOCK if block < whole else 0):
            key = max(key, _key(logits[start + place]))
            size = max(size, _I(bits[start + place] & _I(0x7FFFFFFF)))
        for token in range(start if block == whole else len(logits), len(logits)):
            key = max(key, _key(logits[token]))
            size = max(size, _I(bits[token] & _I(0x7FFFFFFF)))
        greatest[block] = _value(key)
        highest = max(highest, key)
    is_nan = size > _I(0x7F800000)
    return bool(not is_nan and highest > _key(_F(-np.inf)) and highest < _key(_F(np.inf)))


@compiled
def _reached_by(greatest: Array, top_k: int) -> np.float32:
    """Return what the likeliest ``top_k`` tokens, and few others, reach: the k-th of the greatest of all blocks."""
    if len(greatest) < top_k:
        return _F(-np.inf)
    bound = _cut(greatest, np.ones(len(greatest), np.float32), float(top_k))
    # Division by the temperature may make equal what was a last bit apart.
    return bound - _F(1e-6) * abs(bound)


@compiled
def _highest(scores: Array) -> np.float32:
    key = _key(scores[0])
    for place in range(len(scores)):
        key = max(key, _key(scores[place]))
    return _value(key)


@compiled
def _gather(
    logits: Array, greatest: Array, bound: np.float32, temperature: np.float32, ids: Indices, scores: Array
) -> int:
    """Write the tokens of at least that logit, and their scores; return how many."""
    if bound == _F(-np.inf):
        for token in range(len(logits)):
            ids[token], scores[token] = token, logits[token] / temperature
        return len(logits)
    count = 0
    for block in range(len(greatest)):
        if greatest[block] >= bound:
            for token in range(block * _BLOCK, min((block + 1) * _BLOCK, len(logits))):
                if logits[token] >= bound:
                    ids[count], scores[count] = token, logits[token] / temperature
                    count += 1
    return count


@compiled
def _cut(scores: Array, weights: Array, limit: float) -> np.float32:
    """Return the least number above which the scores weigh less than ``limit`` together, at most the highest score."""
    low, high = int(_key(_F(-np.inf))), int(_key(_highest(scores)))
    while low < high:
        middle = (low + high) >> 1
        bound = _value(middle)
        above = 0.0
        for place in range(len(scores)):
            above += float(weights[place]) if scores[place] > bound else 0.0
        if above < limit:
            high = middle
        else:
            low = middle + 1
    return _value(low)
