"""How long, and in how much memory, do lyrics become tokens on disk?

    python -m benchmarks.tokenize CORPUS [--megabytes 1000] [--tokenizer model/starter] [--workers 2]

Makes a file of that size from the songs of CORPUS, in every copy of which one word in four is another word, so that
it is no duplicate; then does twice, in a process of its own and with a cache of its own, what ``fit`` does before
it trains. The memory is the largest sum over all processes, looked at ten times a second, each page counted once
however many share it (PSS). Of that, "own" is what has to stay in memory; the rest are mapped files, programs' and
songs', which the system takes back when it needs to. RSS counts a shared page again in every process. Linux only.
"""

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from transformers import AutoTokenizer

from model.song import EOS_TOKEN, Song
from train.config import DataConfig
from train.songs.reading import read_songs
from train.songs.split import split_songs
from train.tokens.cutting import tokenize

KINDS = ("Pss", "Pss_Anon", "Rss")

TICK = 0.1
"""Seconds between two looks at the memory."""

CHANGED = 0.25
"""Share of words that a copy has otherwise: pairs of words then match to 40%, under what a near duplicate is."""


def work(data: str, tokenizer_folder: str, workers: int) -> None:
    """Do what ``fit`` does before it trains."""
    reading = read_songs(DataConfig(data=(data,)))
    split = split_songs(reading, 0.05, seed=1)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    train = tokenize(split.train, tokenizer, 1024, workers=workers)
    tokenize(split.validation, tokenizer, 1024, workers=workers)
    print(f"{len(reading.songs):,} songs, {reading.report.near_duplicates:,} near duplicates, {len(train):,} pieces")


def write_corpus(source: str, target: Path, megabytes: int) -> None:
    """Write songs of ``source`` and variations of them until there are so many megabytes."""
    songs = list(read_songs(DataConfig(data=(source,))).songs)
    words = sorted({word for song in songs[:5_000] for word in song.lyric.split()})
    rng = random.Random(1)  # noqa: S311 - a benchmark
    written = 0
    with target.open("w", encoding="utf-8") as file:
        while written < megabytes * 1_000_000:
            for song in songs:
                lines = (
                    " ".join(rng.choice(words) if rng.random() < CHANGED else word for word in line.split())
                    for line in song.lyric.split("\n")
                )
                text = f"{Song(song.header, chr(10).join(lines))}\n".replace(EOS_TOKEN, f"\n{EOS_TOKEN}")
                written += file.write(text)
                if written >= megabytes * 1_000_000:
                    break


def watch(command: list[str], cache: Path) -> tuple[float, dict[str, float]]:
    """Run a command; return its seconds, and the peaks of all its processes together in gigabytes."""
    start, peaks = time.monotonic(), dict.fromkeys(KINDS, 0.0)
    process = psutil.Popen(command, env=os.environ | {"HF_DATASETS_CACHE": str(cache)})
    while process.poll() is None:
        total: Counter[str] = Counter()
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error, OSError):  # It ended between two looks.
                total.update(read_memory(each.pid))
        peaks = {kind: max(peaks[kind], total[kind] / 1e6) for kind in KINDS}
        time.sleep(TICK)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.monotonic() - start, peaks


def read_memory(process: int) -> dict[str, int]:
    """Return the sums over a process's pages in kilobytes, as the system names them."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    return {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tokenize")
    parser.add_argument("corpus", help="songs to vary, anything that train reads")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--tokenizer", default="model/starter", help="folder of a tokenizer")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", action="store_true", help="do once what is measured, with CORPUS as it is")
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.corpus, arguments.tokenizer, arguments.workers)
        return
    with tempfile.TemporaryDirectory(prefix="tokenize-") as scratch:
        data, cache = Path(scratch, "songs.txt"), Path(scratch, "cache")
        write_corpus(arguments.corpus, data, arguments.megabytes)
        options = [f"--tokenizer={arguments.tokenizer}", f"--workers={arguments.workers}"]
        command = [sys.executable, "-m", "benchmarks.tokenize", "--work", str(data), *options]
        rows = [(name, *watch(command, cache)) for name in ("first", "second")]
        stored = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) / 1e9
        print(f"\n{data.stat().st_size / 1e6:,.0f} MB of lyrics; {stored:.2f} GB of cache\n")
    print("| start | seconds | peak, GB | of that own, GB | peak RSS, GB |\n|---|---|---|---|---|")
    for name, seconds, peaks in rows:
        print(f"| {name} | {seconds:.1f} | " + " | ".join(f"{peaks[kind]:.2f}" for kind in KINDS) + " |")


if __name__ == "__main__":
    main()
