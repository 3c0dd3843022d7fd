"""How long, and in how much memory, do lyrics become tokens on disk?

    python -m benchmarks.tokenize CORPUS [--megabytes 1000] [--tokenizer model/starter] [--workers 2]

Makes a file of that size from the songs of CORPUS, in every copy of which one word in four is another word, so that
it is no duplicate; then does twice, in a process of its own and with a cache of its own, what ``fit`` does before
it trains. The memory is the largest sum over all processes of what each holds for itself (USS), looked at ten
times a second; RSS, which counts shared and mapped pages again in every process, is beside it.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from model.song import EOS_TOKEN, Song
from train.config import DataConfig
from train.reading import read_songs

TICK = 0.1
"""Seconds between two looks at the memory."""

CHANGED = 0.25
"""Share of words that a copy has otherwise: pairs of words then match to 40%, under what a near duplicate is."""

WORK = """
import sys
from transformers import AutoTokenizer
from train.config import DataConfig
from train.data import split_songs
from train.reading import read_songs
from train.tokens import tokenize
data, tokenizer, workers = sys.argv[1:]
reading = read_songs(DataConfig(data=data))
split = split_songs(reading, 0.05, seed=1)
tokenizer = AutoTokenizer.from_pretrained(tokenizer)
train = tokenize(split.train, tokenizer, 1024, drop_seed=1, workers=int(workers))
held_out = tokenize(split.validation, tokenizer, 1024, workers=int(workers))
print(f"{len(reading.songs):,} songs, {reading.report.near_duplicates:,} near duplicates, {len(train):,} pieces")
"""


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


def watch(command: list[str], cache: Path) -> tuple[float, float, float]:
    """Run a command; return its seconds, and the peak USS and RSS of all its processes in gigabytes."""
    start, uss, rss = time.monotonic(), 0.0, 0.0
    process = psutil.Popen(command, env=os.environ | {"HF_DATASETS_CACHE": str(cache)})
    while process.poll() is None:
        total_uss = total_rss = 0
        for each in (process, *process.children(recursive=True)):
            try:
                memory = each.memory_full_info()
            except psutil.NoSuchProcess:
                continue
            total_uss, total_rss = total_uss + memory.uss, total_rss + memory.rss
        uss, rss = max(uss, total_uss / 1e9), max(rss, total_rss / 1e9)
        time.sleep(TICK)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.monotonic() - start, uss, rss


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tokenize")
    parser.add_argument("corpus", help="songs to vary, anything that train reads")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--tokenizer", default="model/starter", help="folder of a tokenizer")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tokenize-") as scratch:
        data, cache = Path(scratch, "songs.txt"), Path(scratch, "cache")
        write_corpus(arguments.corpus, data, arguments.megabytes)
        command = [sys.executable, "-c", WORK, str(data), arguments.tokenizer, str(arguments.workers)]
        rows = [(name, *watch(command, cache)) for name in ("first", "second")]
        stored = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) / 1e9
        print(f"\n{data.stat().st_size / 1e6:,.0f} MB of lyrics; {stored:.2f} GB of cache\n")
    print("| start | seconds | peak memory, GB | peak RSS, GB |\n|---|---|---|---|")
    for name, seconds, uss, rss in rows:
        print(f"| {name} | {seconds:.1f} | {uss:.2f} | {rss:.2f} |")


if __name__ == "__main__":
    main()
