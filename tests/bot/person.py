"""Somebody at the preview's page: types, clicks and reads in a real browser, as a person does."""

import hashlib
import os
import re
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, Page, TimeoutError, expect  # noqa: A004 - Playwright's own

PATIENCE = 60.0
"""Seconds after which whatever is waited for has failed, on the slowest machine."""

KEY = 40
"""Milliseconds from key to key."""

COMPLAINT = re.compile(r"uncertain|fail|error|lost|rejected|unavailable", re.IGNORECASE)
"""What the page says in its margin where something is wrong."""


@dataclass
class Watched:
    """What was seen of an answer, in seconds since its command was sent."""

    words: float = 0.0
    """When the first words of the model stood there."""
    buttons: float = 0.0
    """When the song was finished."""
    updates: list[str] = field(default_factory=list)
    """What stood there in between, each once."""


@dataclass
class Person:
    """A member at the page."""

    page: Page
    sent: float = 0.0
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.failures.append(str(error)))

    def messages(self) -> Locator:
        """Return all messages of the channel."""
        return self.page.locator("article.channel-message")

    def answer(self) -> Locator:
        """Return the latest message."""
        return self.messages().last

    def button(self, label: str) -> Locator:
        """Return a button of the latest message."""
        return self.answer().get_by_role("button", name=label, exact=True)

    def command(self, name: str, *values: str, **options: str) -> None:
        """Type a command, Enter, and the values that it asks for, then Enter; wait until an answer begins."""
        keyboard, before = self.page.keyboard, self.messages().count()
        self.page.locator("#channel-composer-input").click()
        keyboard.type(f"/{name}", delay=KEY)
        entry = self.page.locator(".command-entry").filter(has_text=f"/{name}").first
        expect(entry).to_be_visible()
        keyboard.press("Enter")
        expect(self.page.locator(".command-chip")).to_have_text(f"/{name}")
        for value in values:
            keyboard.type(value, delay=KEY)
        for option, value in options.items():
            self.page.locator(".command-ghost").click()
            self.page.locator(".command-popup").get_by_text(option, exact=True).first.click()
            keyboard.type(value, delay=KEY)
        self.sent = time.perf_counter()
        keyboard.press("Enter")
        self.await_message(before)

    def click(self, label: str) -> None:
        """Click a button of the latest message."""
        self.sent = time.perf_counter()
        self.button(label).click()

    def stop(self) -> None:
        """Click *Stop*, and again where the message was drawn anew under the finger, and the click was lost."""
        for _ in range(5):
            with suppress(TimeoutError):
                with self.page.expect_request("**/api/action", timeout=3000):
                    self.button("Stop").click(timeout=3000)
                break
        expect(self.button("Again")).to_be_visible()

    def click_for_new(self, label: str) -> None:
        """Click a button that is answered by a message of its own, and wait until that begins."""
        before = self.messages().count()
        self.click(label)
        self.await_message(before)

    def await_message(self, before: int) -> None:
        """Wait until there are more messages than before."""
        expect(self.messages()).to_have_count(before + 1, timeout=PATIENCE * 1000)

    def watch(self, prompt: str) -> Watched:
        """Read a song until it is finished."""
        watched = Watched()
        for text in self.readings():
            written = text.partition(prompt)[2].strip()
            if "Stop" not in text and "Again" in text:
                watched.buttons = time.perf_counter() - self.sent
                watched.words = watched.words or watched.buttons
                return watched
            if written and "Stop" in text and text not in watched.updates:
                watched.words = watched.words or time.perf_counter() - self.sent
                watched.updates.append(text)
        raise AssertionError(f"the song never ended: {self.answer().inner_text()}")

    def readings(self) -> Iterator[str]:
        """Read the latest message again and again."""
        deadline = time.perf_counter() + PATIENCE
        while time.perf_counter() < deadline:
            yield self.answer().inner_text()
            time.sleep(0.02)

    def complaints(self) -> list[str]:
        """Return what the page complains of, be it in its own margin or to the browser's developer tools."""
        found = list(self.failures)
        count = self.page.locator("#inspector-count")
        if count.is_visible():
            found.append(f"{count.inner_text()}: {self.page.locator('#diagnostics').text_content()}")
        said = self.page.locator("#action-status, #live-status").all_inner_texts()
        found += [words for words in said if COMPLAINT.search(words)]
        return found

    def picture(self, folder: Path, name: str) -> None:
        """Take a picture of the latest message, with nothing that shows only under the mouse."""
        self.page.mouse.move(0, 0)
        self.answer().scroll_into_view_if_needed()
        self.answer().screenshot(path=folder / f"{name}.png")


def slowdown() -> float:
    """Return how much longer work takes here than on a quiet machine: 1 where nobody else uses the processor."""
    block = bytes(1 << 20)

    def work(_: int) -> float:
        started, spent = time.perf_counter(), time.thread_time()
        for _ in range(200):
            hashlib.sha256(block).digest()  # lets go of the interpreter, so as many run as there are cores
        return (time.perf_counter() - started) / (time.thread_time() - spent)

    cores = os.cpu_count() or 1
    with suppress(AttributeError):  # elsewhere than on Linux
        cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores) as pool:
        return statistics.median(pool.map(work, range(cores)))
