"""LRC: lyrics with the time of every line."""

import re

from model.song import Header, Song
from train.songs.formats.headers import field_of

_STAMP = r"\[\d{1,3}:\d{2}(?:[.:]\d{1,3})?\]"
_STAMPED = re.compile(rf"[ \t]*(?P<stamps>(?:{_STAMP}[ \t]*)+)(?P<words>.*)")
_WORD_STAMP = re.compile(r"<\d{1,3}:\d{2}(?:[.:]\d{1,3})?>[ \t]?")
_TAG = re.compile(r"\[(?P<name>[a-z#][a-z_ ]*):(?P<value>[^\]]*)\]", re.IGNORECASE)
_PLAIN = re.compile(_STAMP)


def looks_stamped(text: str) -> bool:
    """Return whether at least two lines of a text begin with a time."""
    return ":" in text and sum(1 for _ in re.finditer(rf"^[ \t]*{_STAMP}", text, re.MULTILINE)) > 1


def read_lrc(text: str) -> Song:
    """Return a song without its times: lines that are sung several times stand at each of them, tags are its header."""
    header: dict[str, str] = {}
    lines: list[tuple[float, str]] = []
    now, repeated = 0.0, False
    for line in text.strip("\n").split("\n"):
        stamped, tag = _STAMPED.fullmatch(line), _TAG.fullmatch(line.strip())
        if stamped:
            times = [_seconds(stamp) for stamp in _PLAIN.findall(stamped["stamps"])]
            repeated = repeated or len(times) > 1
            lines += [(time, _WORD_STAMP.sub("", stamped["words"]).strip()) for time in times]
            now = times[-1]
        elif tag:
            # [by:…] is who typed the times.
            if tag["name"] != "by" and (field := field_of(tag["name"])) and tag["value"].strip():
                header[field] = tag["value"].strip()
        else:
            lines.append((now, line))
    if repeated:
        lines.sort(key=lambda each: each[0])
    return Song(Header(**header), "\n".join(line for _, line in lines).strip())


def _seconds(stamp: str) -> float:
    minutes, seconds, *parts = re.split(r"[:.]", stamp.strip("[]"))
    return int(minutes) * 60 + int(seconds) + (float(f"0.{parts[0]}") if parts else 0.0)
