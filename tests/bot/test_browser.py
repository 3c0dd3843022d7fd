"""The true preview: ``python -m bot`` without a token, in a process of its own, and a person at a real browser.

The pictures in ``docs/`` come out of it: ``SCREENSHOTS=docs python -m pytest tests/bot/test_browser.py``.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from playwright.sync_api import expect, sync_playwright

from bot.config import Config
from bot.welcome import EXAMPLES
from tests.bot.person import PATIENCE, Person, slowdown

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PROMPT = "We sang it on the ferry home"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here, which Debian has as chromium")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go."""
    return Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("pictures")).absolute()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the bot logs, to be."""
    return tmp_path_factory.mktemp("preview") / "log"


@pytest.fixture(scope="module")
def address(log: Path) -> Iterator[str]:
    """Start the bot as the README says, in an empty folder: there is no ``.env`` and no checkpoint of anybody's."""
    settings = {name.upper() for name in Config.model_fields} | {"OMP_NUM_THREADS", "SCREENSHOTS"}
    environment = {name: value for name, value in os.environ.items() if name.upper() not in settings}
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "bot"],
            cwd=log.parent,
            # One song after the other, so that five take long enough to be watched.
            env=environment | {"PREVIEW_PORT": "0", "MAX_BATCH": "1", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        # Where it never says its address, its end of the pipe is closed, so that reading ends.
        timer = threading.Timer(3 * PATIENCE, process.kill)
        timer.start()
        try:
            found = read_address(process.stdout)
            timer.cancel()
            yield found
        finally:
            timer.cancel()
            process.terminate()
            assert process.wait(PATIENCE) == 0


def read_address(stdout: IO[str] | None) -> str:
    """Read what the bot says until it says where it is."""
    assert stdout is not None, "it is a pipe"
    said = ""
    for line in stdout:
        said += line
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise AssertionError(f"the bot ended before it had an address: {said}")


@pytest.fixture(scope="module")
def browser_person(address: str) -> Iterator[Person]:
    """Open the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 960, "height": 1000}, device_scale_factor=1.25)
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        page.goto(address)
        yield Person(page)
        browser.close()


@pytest.fixture
def person(browser_person: Person, log: Path) -> Iterator[Person]:
    """Whoever sits there; whatever they do, neither page nor bot may complain."""
    yield browser_person
    assert browser_person.complaints() == []
    assert not re.findall(r"^.*(?:WARNING|ERROR|CRITICAL|Traceback).*$", log.read_text(), re.MULTILINE)


def test_the_first_page_says_what_it_is_and_a_click_gives_a_song(person: Person, pictures: Path) -> None:
    expect(person.answer()).to_contain_text("preview")
    person.picture(pictures, "welcome")
    person.click_for_new(EXAMPLES[0])
    person.watch(EXAMPLES[0])
    expect(person.answer()).to_contain_text(EXAMPLES[0])


def test_a_song_is_there_soon(person: Person) -> None:
    """The words within 2 seconds and the buttons within 10, medians of three, on a machine of one's own.

    Where others work on the machine meanwhile, the best of up to three rounds counts.
    """
    rounds: list[tuple[float, float]] = []
    while len(rounds) < 3 and (not rounds or min(rounds) >= (2, 10)):
        rounds.append(measure(person))
    assert any(words < 2 and buttons < 10 for words, buttons in rounds), rounds


def measure(person: Person) -> tuple[float, float]:
    """Return the seconds to the first words and to the buttons, medians of three songs."""
    words, buttons = [], []
    for _ in range(3):
        slower = slowdown()
        person.command("lyrics", PROMPT)
        composer = person.page.locator("#channel-composer-input")
        expect(composer).to_have_value("")
        watched = person.watch(PROMPT)
        words.append(watched.words / slower)
        buttons.append(watched.buttons / slower)
    return statistics.median(words), statistics.median(buttons)


def test_a_setting_holds_and_a_long_song_grows_and_can_be_stopped(person: Person, pictures: Path) -> None:
    person.command("settings max_length", "500")
    expect(person.answer()).to_contain_text("max_length is now 500")
    person.command("lyrics", PROMPT, songs="5")
    expect(person.button("Stop")).to_be_visible()
    watched = person.watch(PROMPT)
    assert len(watched.updates) >= 3
    person.command("lyrics", PROMPT, title="The Last Ferry")
    grown = next(text for text in person.readings() if text.count("\n") > 14 or "Again" in text)
    if "Stop" in grown:
        person.picture(pictures, "writing")
    person.watch(PROMPT)
    person.command("lyrics", PROMPT, songs="10")
    next(text for text in person.readings() if text.partition(PROMPT)[2].strip())
    person.stop()
    expect(person.answer()).to_contain_text("Stopped early")
    person.command("settings show")
    expect(person.answer()).to_contain_text("500")
    person.picture(pictures, "settings")
    person.command("settings reset")
    expect(person.answer()).to_contain_text("back to the defaults")


def test_the_buttons_of_a_song_do_what_they_say(person: Person, pictures: Path) -> None:
    person.command("lyrics", PROMPT, title="The Last Ferry")
    person.watch(PROMPT)
    gap = person.page.evaluate(
        "() => { const [first, second] = [...document.querySelectorAll('article')].at(-1)"
        ".querySelectorAll('.markdown-paragraph');"
        "return second ? second.getBoundingClientRect().top - first.getBoundingClientRect().bottom : 20 }"
    )
    assert gap > 10, "an empty line between two stanzas shows"
    person.picture(pictures, "song")
    first = person.answer().inner_text()
    person.click("▶")
    expect(person.answer()).to_contain_text("2/3")
    assert person.answer().inner_text() != first
    person.click_for_new("Again")
    person.watch(PROMPT)
    person.click_for_new("Continue")
    person.watch(PROMPT)


def test_the_history_has_the_songs(person: Person) -> None:
    person.command("history")
    expect(person.answer()).to_contain_text("Your songs")
    expect(person.answer()).to_contain_text(PROMPT)


def test_the_help_names_commands_as_discord_does(person: Person) -> None:
    person.command("help")
    expect(person.answer()).to_contain_text("/server")
    expect(person.answer()).not_to_contain_text(re.compile("</|unavailable"))
