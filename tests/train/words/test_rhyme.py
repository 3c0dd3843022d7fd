import pytest

from train.words.rhyme import rhyme, rhyming_lines

DIFFERENT = """
love/move home/come cough/though water/later night/nine stone/bone's road/rose table/cradle orange/door
fire/far the/a same/same Same/same, heart/hurt blrg/drg lantern/turn time/mind
""".split()  # noqa: SIM905 - read as a list of pairs

RHYMING = """
stair/square tower/hour along/strong band/sand true/canoe quit/sit fire/higher o'er/door love/above
station/nation again/men again/rain moonlight/night want/taunt walkin'/talkin' read/bed read/need
Light,/night! me/sea heart/apart frog/dog tonight/kite lover/cover stair/stare
""".split()  # noqa: SIM905 - read as a list of pairs


@pytest.mark.parametrize("pair", RHYMING)
def test_these_rhyme(pair: str) -> None:
    first, second = pair.split("/")
    assert rhyme(first, second)
    assert rhyme(second, first)


@pytest.mark.parametrize("pair", DIFFERENT)
def test_these_do_not(pair: str) -> None:
    assert not rhyme(*pair.split("/"))


def test_lines_rhyme_one_and_two_apart() -> None:
    lines = ["the road is long", "the night", "I sing a song", "a light", "so bright"]
    assert rhyming_lines(lines) == {1: {3}, 2: {0, 1}}
    assert rhyming_lines([]) == {1: set(), 2: set()}
