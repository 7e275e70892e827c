"""Whether the photographs in a folder are what their owners ship: counts, damage, strays and duplicates, in seconds.

A *fault* means that an experiment on them cannot be what it claims to be:

- fewer photographs than the set needs: nine tenths of the published number, or what the catalogue says;
- more than eleven tenths of the published number, or more than a tenth of them copies of others;
- fewer than nine tenths of the published people, while the photographs are not a part that may be drawn;
- an emotion that the set has is absent, where its emotions are used;
- fewer than nine tenths of the published photographs are coded, where their Action Units are used;
- more than a tenth of the photographs are empty or unreadable;
- more than a hundredth of the photographs are also filed under another person.

A *warning* means that it still can, and what to know: every other difference from the published numbers, and every missing,
unreadable, unknown or repeated file, and whatever else the loader passed over.
"""

import hashlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fergan.data.config import CATALOGUE, Published
from fergan.data.folders import some_of
from fergan.data.photographs import Photographs, UnreadablePhotograph, read_photographs
from fergan.facs import EMOTIONS
from fergan.files import hash_file

LEAST_SHARE = 0.9  # of the published photographs, people and codes
MOST_SHARE = 1.1  # of the published photographs
MOST_REPEATED = 0.1  # of the photographs of a published set, that are copies of others
MOST_UNREADABLE = 0.1  # of the photographs
MOST_SHARED = 0.01  # of the photographs, that are also somebody else's

_MOST_NOTES = 5  # that are warnings one by one; all are in the record
_MOST_DECODED = 500  # of the files that look damaged, so that a folder full of them takes no hour
_SAMPLE = 64  # bytes that are read at the start, in the middle and at the end of each file

#: Starts of the formats whose end says nothing: BMP, TIFF, GIF, WebP, PGM and PPM as text, JPEG 2000; AVIF's is at byte 4.
_STARTS = (b"BM", b"II*\x00", b"MM\x00*", b"GIF8", b"RIFF", b"P2", b"P3", b"\x00\x00\x00\x0cjP  ", b"\xffO\xffQ")
#: Start -> what whole files of the format end with.
_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG\r\n\x1a\n": b"IEND\xaeB`\x82"}
#: Width, height and greatest value of a binary PGM or PPM file, whose pixels follow.
_NETPBM = re.compile(rb"P(?P<kind>[56])\s+(?:#[^\n]*\n\s*)*(?P<width>\d+)\s+(?P<height>\d+)\s+(?P<maximum>\d+)\s")


@dataclass
class DataReport:
    """What was found about a set of photographs."""

    name: str
    source: str
    variant: str
    title: str  # what the collection is called
    subjects: str  # what `people` counts: in SFEW films, since the actors are not named
    photographs: int
    people: int  # 0 where nobody is named
    emotions: dict[str, int]
    published: Published  # what there should be
    missing: list[str]  # for these four see `Photographs`
    unknown: dict[str, str]
    notes: list[str]
    coded: int | None
    empty: list[str] = field(default_factory=list)  # files without content
    unreadable: dict[str, str] = field(default_factory=dict)  # no picture or cut off, and why; by beginnings and ends only
    repeated: list[list[str]] = field(default_factory=list)  # files with the same content, of one person or nobody named
    shared: list[list[str]] = field(default_factory=list)  # files with the same content, of several people
    seconds: float = 0.0  # how long the check took
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the report as text, a line at a time."""
        what = f"{self.title}, {self.variant}" if self.variant else self.title
        lines = [f"{what}: {_of(self.photographs, self.published.photographs)} photographs"]
        if self.people:
            one = {"people": "person"}.get(self.subjects, self.subjects.removesuffix("s"))
            lines[0] += f" of {_of(self.people, self.published.people)} {one if self.people == 1 else self.subjects}"
        if self.emotions:
            counts = (f"{emotion} {_of(n, self.published.emotions.get(emotion))}" for emotion, n in self.emotions.items())
            lines.append(f"emotions: {', '.join(counts)}")
        lines += [f"fault: {fault}" for fault in self.faults]
        lines += [f"warning: {warning}" for warning in self.warnings]
        if not self.faults and not self.warnings:
            lines.append("as published" if self.published.photographs else "nothing wrong was found")
        return [*lines, f"verified in {self.seconds:.1f} s"]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON; of each list of files its length and the first hundred."""
        content = asdict(self) | {"published": self.published.model_dump()}
        for name in ("missing", "empty", "notes", "repeated", "shared", "unknown", "unreadable"):
            every = content[name]
            first = dict(list(every.items())[:100]) if isinstance(every, dict) else every[:100]
            content[name] = {"n": len(every), "first": first}
        return content


def check_photographs(
    photographs: Photographs, source: str, variant: str = "", used: Collection[str] = ("emotions", "Action Units")
) -> DataReport:
    """Compare photographs with what is published of their set, and look for damage and duplicates.

    Nothing is decoded but files that look cut off. Each file is opened once; only those that agree in size, beginning,
    middle and end are read whole.

    Args:
        photographs: A whole set, as `fergan.data.open_photographs` returns it without `n_faces`.
        source, variant: What it was opened as.
        used: Which labels something depends on, ``"emotions"`` and ``"Action Units"``: where they are
            absent is a fault, and a warning of the others.
    """
    start = time.perf_counter()
    labels, record = photographs.labels, CATALOGUE.get(source)
    counts = labels["emotion"].value_counts()
    report = DataReport(
        photographs.name, source, variant, record.title if record else photographs.name,
        record.subjects if record else "people", len(labels), labels["subject"].nunique(),
        {emotion: int(counts[emotion]) for emotion in EMOTIONS if emotion in counts},
        record.variants[variant] if record else Published(),
        list(photographs.missing), dict(photographs.unknown), list(photographs.notes), photographs.coded,
    )  # fmt: skip
    if photographs.sizes is not None:
        folder, sources = Path(photographs.folder), labels["source"].tolist()
        report.empty = labels["source"][photographs.sizes == 0].tolist()
        report.unreadable, samples = _look_into(folder, sources, photographs.sizes)
        _sort_duplicates(report, labels, _same_content(folder, sources, samples))
    _judge_counts(report)
    _judge_labels(report, used)
    _judge_files(report)
    if not report.people and not record and source != "rendered":
        report.warnings.append(
            "nobody is named: each photograph counts as a person of its own, so that no score is one on people never seen; "
            "add a column 'subject'")
    more = len(report.notes) - _MOST_NOTES
    report.warnings += [*report.notes[:_MOST_NOTES], *([f"{more:,} more like these"] if more > 0 else [])]
    report.seconds = time.perf_counter() - start
    return report


def _look_into(folder: Path, sources: Sequence[str], sizes: np.ndarray) -> tuple[dict[str, str], list[bytes | None]]:
    """Return why files cannot be read, and a few bytes of each file that can, by which equal ones are found."""
    unreadable: dict[str, str] = {}
    samples: list[bytes | None] = [None] * len(sources)
    prefix, n_doubtful, n_damaged = f"{folder}{os.sep}", 0, 0
    for number, (source, size) in enumerate(zip(sources, sizes.tolist(), strict=True)):
        if not size:
            continue
        try:
            head, middle, tail = _read_sample(prefix + source, size)
        except OSError as error:
            unreadable[source] = error.strerror or str(error)
            continue
        if not _looks_whole(head, tail, size):
            n_doubtful += 1
            if n_doubtful <= _MOST_DECODED:
                (read,) = read_photographs([prefix + source])
                if isinstance(read, UnreadablePhotograph):
                    n_damaged += 1
                    unreadable[source] = str(read).removeprefix(f"{prefix}{source}: ")
                    continue
            elif n_damaged > _MOST_DECODED / 2:  # else most are sound, as the photographs of some telephones
                unreadable[source] = "begins or ends like no whole picture, as others that are damaged"
                continue
        samples[number] = b"%d %b%b%b" % (size, head, middle, tail)
    return unreadable, samples


def _looks_whole(head: bytes, tail: bytes, size: int) -> bool:
    """Say whether a file begins and ends like a picture; those that do not are decoded to be sure."""
    for start, end in _ENDS.items():
        if head.startswith(start):
            return end in tail
    if netpbm := _NETPBM.match(head):
        values = (3 if netpbm["kind"] == b"6" else 1) * int(netpbm["width"]) * int(netpbm["height"])
        return size >= netpbm.end() + values * (2 if int(netpbm["maximum"]) > 255 else 1)
    return head.startswith(_STARTS) or head[4:12] in (b"ftypavif", b"ftypavis")


def _read_sample(path: str, size: int) -> list[bytes]:
    """Return the first, middle and last bytes of a file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        return [os.pread(handle, _SAMPLE, max(0, start)) for start in (0, size // 2, size - _SAMPLE)]
    finally:
        os.close(handle)


def _same_content(folder: Path, sources: Sequence[str], samples: Sequence[bytes | None]) -> Iterator[list[int]]:
    """Yield the rows of each group of files with the same content; only those whose samples agree are read whole."""
    for rows in _groups(samples):
        contents = [hash_file(folder / sources[row], hashlib.blake2b) for row in rows]
        yield from ([rows[i] for i in group] for group in _groups(contents))


def _groups(keys: Iterable[bytes | str | None]) -> list[list[int]]:
    """Return the positions of keys that occur more than once."""
    positions = defaultdict(list)
    for position, key in enumerate(keys):
        positions[key].append(position)
    return [group for key, group in positions.items() if len(group) > 1 and key is not None]


def _sort_duplicates(report: DataReport, labels: pd.DataFrame, groups: Iterable[list[int]]) -> None:
    """Sort groups of equal files by whether they show one person, and note labels and parts that contradict."""
    apart = {"emotion": [], "split": []}
    for rows in groups:
        same = labels.iloc[rows]
        files = same["source"].tolist()
        (report.shared if same["subject"].nunique() > 1 else report.repeated).append(files)
        for column, found in apart.items():
            found += [files] if same[column].nunique() > 1 else []
    for column, where in (("emotion", "under different emotions"), ("split", "in more than one part of the official split")):
        if found := apart[column]:
            pairs = some_of([_pair([files]) for files in found])
            report.warnings.append(f"the same photograph {where}, {_times(len(found))}: {pairs}")


def _judge_counts(report: DataReport) -> None:
    published, n, expected = report.published, report.photographs, report.published.photographs
    least = published.least or int((expected or 0) * LEAST_SHARE)
    has = f"{n:,} photographs; {report.title} has {expected or 0:,}"
    if n < least:
        report.faults.append(f"{has}, and at least {least:,} are needed to speak of it")
    elif expected and n > expected * MOST_SHARE:
        report.faults.append(f"{has}: something lies in the folder twice, or does not belong")
    elif expected and n != expected:
        report.warnings.append(f"{n:,} photographs; published are {expected:,}")
    if published.people and report.people != published.people:
        if not report.faults and not published.least and report.people < int(published.people * LEAST_SHARE):
            report.faults.append(f"photographs of {report.people:,} people; {report.title} has {published.people:,}")
        else:
            report.warnings.append(f"{report.people:,} people; published are {published.people:,}")
    in_paper = CATALOGUE[report.source].in_paper if report.source in CATALOGUE else None
    if in_paper and n < in_paper:
        report.warnings.append(f"{n:,} photographs; the paper used {in_paper:,}")


def _judge_labels(report: DataReport, used: Collection[str]) -> None:
    published = report.published
    absent = [emotion for emotion in (*published.emotions, *published.present) if emotion not in report.emotions]
    if absent:
        (report.faults if "emotions" in used else report.warnings).append(f"no photograph is {', '.join(absent)}")
    odd = {emotion: n for emotion, n in published.emotions.items() if report.emotions.get(emotion, n) != n}
    if odd:
        counts = (f"{report.emotions[emotion]:,} {emotion} ({n:,})" for emotion, n in odd.items())
        report.warnings.append(f"other numbers per emotion than published: {', '.join(counts)}")
    if published.coded and report.coded not in (None, published.coded):
        too_few = "Action Units" in used and report.coded < int(published.coded * LEAST_SHARE)
        (report.faults if too_few else report.warnings).append(
            f"{report.coded:,} photographs are coded for Action Units; published are {published.coded:,}")


def _judge_files(report: DataReport) -> None:
    n, repeated, shared = report.photographs, report.repeated, report.shared
    for files, what in ((report.missing, "missing"), (list(report.unknown), "no part of this set, and left out"),
                        (report.empty, "empty")):  # fmt: skip
        if files:
            reason = report.unknown.get(files[0])
            why = f" ({'' if len(files) == 1 else 'the first: '}{reason})" if reason else ""
            report.warnings.append(f"{_files(len(files))} {what}: {some_of(files)}{why}")
    for source, reason in list(report.unreadable.items())[:1]:
        report.warnings.append(f"{_files(len(report.unreadable))} unreadable, for example {source}: {reason}")
    broken = len(report.empty) + len(report.unreadable)
    if broken > n * MOST_UNREADABLE:
        report.faults.append(f"{broken:,} of {n:,} photographs are empty or unreadable")
    n_shared, copies = sum(map(len, shared)), sum(len(group) - 1 for group in repeated)
    if n_shared > n * MOST_SHARED:
        report.faults.append(
            f"{n_shared:,} of {n:,} photographs are also filed under another person, for example {_pair(shared)}")
    elif shared:
        times = _times(len(shared))
        report.warnings.append(f"the same photograph under several people: {times}, for example {_pair(shared)}")
    if report.published.photographs and copies > n * MOST_REPEATED:
        report.faults.append(f"{copies:,} of {n:,} photographs are copies of others, for example {_pair(repeated)}")
    elif repeated:
        whose = "" if report.people else ", so that folds may show it on both sides"
        report.warnings.append(f"the same photograph again: {_times(len(repeated))}{whose}, for example {_pair(repeated)}")


def _files(n: int) -> str:
    return f"{n:,} file is" if n == 1 else f"{n:,} files are"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"


def _pair(groups: list[list[str]]) -> str:
    return f"{groups[0][0]} and {groups[0][1]}"


def _of(n: int, expected: int | None) -> str:
    return f"{n:,}" if expected in (None, n) else f"{n:,} ({expected:,} published)"
