"""What a folder of photographs holds beside what is published of the set, and whether its files are whole and differ.

Nothing is decoded but files that look cut off. Only those that agree in size, beginning, middle and end are read whole.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fergan.data.config import CATALOGUE, Published
from fergan.data.photographs import Photographs, UnreadablePhotograph, read_photographs
from fergan.facs import EMOTIONS
from fergan.files import hash_file

LEAST_SHARE = 0.9  # of the published photographs, people and codes
MOST_SHARE = 1.1  # of the published photographs
MOST_REPEATED = 0.1  # of the photographs of a published set, that are copies of others
MOST_UNREADABLE = 0.1  # of the photographs
MOST_SHARED = 0.01  # of the photographs, that are also somebody else's

_MOST_NOTES = 5  # that are warnings one by one
_SAMPLE = 64  # bytes that are read at the start, in the middle and at the end of each file

#: Starts of the formats whose end says nothing: BMP, TIFF, GIF, WebP, PGM and PPM as text, JPEG 2000; AVIF's is at byte 4.
_STARTS = (b"BM", b"II*\x00", b"MM\x00*", b"GIF8", b"RIFF", b"P2", b"P3", b"\x00\x00\x00\x0cjP  ", b"\xffO\xffQ")
#: Start -> what whole files of the format end with.
_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG\r\n\x1a\n": b"IEND\xaeB`\x82"}


@dataclass
class DataReport:
    """What was found about a set of photographs."""

    title: str  # what the collection is called, and its variant
    subjects: str  # what `people` counts: in SFEW films, since the actors are not named
    photographs: int
    people: int  # 0 where nobody is named
    emotions: dict[str, int]
    published: Published  # what there should be
    unreadable: dict[str, str] = field(default_factory=dict)  # empty, no picture or cut off, and why
    repeated: list[list[str]] = field(default_factory=list)  # files with the same content, of one person or nobody named
    shared: list[list[str]] = field(default_factory=list)  # files with the same content, of several people
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the report as text, a line at a time."""
        people = f", {self.subjects}: {self.people:,}" if self.people else ""
        lines = [f"{self.title}: {self.photographs:,} photographs{people}"]
        if self.emotions:
            lines.append(f"emotions: {', '.join(f'{emotion} {n:,}' for emotion, n in self.emotions.items())}")
        lines += [*(f"fault: {fault}" for fault in self.faults), *(f"warning: {warning}" for warning in self.warnings)]
        as_expected = "as published" if self.published.photographs else "nothing wrong was found"
        return lines if self.faults or self.warnings else [*lines, as_expected]


def check_photographs(photographs: Photographs, source: str, variant: str = "",
                      used: Collection[str] = ("emotions", "Action Units")) -> DataReport:
    """Compare photographs with what is published of their set, and look for damage and duplicates.

    Args:
        photographs: A whole set, as `open_photographs` returns it without `n_faces` from `source` and `variant`.
        used: Which labels something depends on: where they are absent is a fault, and a warning of the others.
    """
    labels, record = photographs.labels, CATALOGUE.get(source)
    counts, title = labels["emotion"].value_counts(), record.title if record else photographs.name
    report = DataReport(
        f"{title}, {variant}" if variant else title, record.subjects if record else "people",
        len(labels), labels["subject"].nunique(), {emotion: counts[emotion] for emotion in EMOTIONS if emotion in counts},
        record.variants[variant] if record else Published())
    _judge_counts(report)
    _judge_labels(report, photographs.coded, used)
    _judge_files(report, photographs)
    if not report.people and not record and source != "rendered":
        report.warnings.append(
            "nobody is named: each photograph counts as a person of its own, so that no score is one on people never seen; "
            "add a column 'subject'")
    more = len(photographs.notes) - _MOST_NOTES
    report.warnings += [*photographs.notes[:_MOST_NOTES], *([f"{more:,} more like these"] if more > 0 else [])]
    return report


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
        few = not report.faults and not published.least and report.people < int(published.people * LEAST_SHARE)
        (report.faults if few else report.warnings).append(f"{report.people:,} people; published are {published.people:,}")


def _judge_labels(report: DataReport, coded: int | None, used: Collection[str]) -> None:
    published = report.published
    if absent := [emotion for emotion in (*published.emotions, *published.present) if emotion not in report.emotions]:
        (report.faults if "emotions" in used else report.warnings).append(f"no photograph is {', '.join(absent)}")
    if odd := {emotion: n for emotion, n in published.emotions.items() if report.emotions.get(emotion, n) != n}:
        counts = (f"{report.emotions[emotion]:,} {emotion} ({n:,})" for emotion, n in odd.items())
        report.warnings.append(f"other numbers per emotion than published: {', '.join(counts)}")
    if published.coded and coded not in (None, published.coded):
        too_few = "Action Units" in used and coded < int(published.coded * LEAST_SHARE)
        (report.faults if too_few else report.warnings).append(
            f"{coded:,} photographs are coded for Action Units; published are {published.coded:,}")


def _judge_files(report: DataReport, photographs: Photographs) -> None:
    labels, groups = photographs.labels, []
    if photographs.sizes is not None:
        paths = [f"{photographs.folder}/{source}" for source in labels["source"]]
        samples = [_sample(path, size) for path, size in zip(paths, photographs.sizes.tolist(), strict=True)]
        doubtful = [row for row, sample in enumerate(samples) if not _looks_whole(sample)]
        for row, read in zip(doubtful, read_photographs([paths[row] for row in doubtful], least_side=1), strict=True):
            if isinstance(read, UnreadablePhotograph):
                samples[row] = None
                report.unreadable[labels["source"][row]] = str(read).removeprefix(f"{paths[row]}: ")
        alike = _groups((row, sample) for row, sample in enumerate(samples) if sample)
        groups = [same for rows in alike for same in _groups((row, hash_file(paths[row], hashlib.blake2b)) for row in rows)]
    files = {"missing": dict.fromkeys(photographs.missing), "no part of this set, and left out": photographs.unknown,
             "unreadable": report.unreadable}  # fmt: skip
    for what, found in files.items():
        for path, why in list(found.items())[:1]:
            first = f"the first {path} ({why})" if why else f"the first {path}"
            report.warnings.append(f"files that are {what}: {len(found):,}, {first}")
    if len(report.unreadable) > report.photographs * MOST_UNREADABLE:
        report.faults.append(f"{len(report.unreadable):,} of {report.photographs:,} photographs are empty or unreadable")
    _judge_copies(report, labels, groups)


def _judge_copies(report: DataReport, labels: pd.DataFrame, groups: list[list[int]]) -> None:
    """Sort groups of equal files by whether they show one person, and by labels and parts that contradict."""
    same = [labels.iloc[rows] for rows in groups]

    def apart(column: str, several: bool = True) -> list[list[str]]:
        return [of["source"].tolist() for of in same if (of[column].nunique() > 1) == several]

    report.shared, report.repeated = apart("subject"), apart("subject", several=False)
    for what, found, most in (
        ("filed under several people", report.shared, MOST_SHARED),
        ("there more than once", report.repeated, MOST_REPEATED if report.published.photographs else np.inf),
        ("under different emotions", apart("emotion"), np.inf),
        ("in more than one part of the official split", apart("split"), np.inf),
    ):
        n = sum(len(files) - 1 for files in found)
        if found:
            (report.faults if n > most * report.photographs else report.warnings).append(
                f"photographs {what}: {n:,} of {report.photographs:,}, for example {found[0][0]} and {found[0][1]}")


def _sample(path: str, size: int) -> tuple[int, bytes, bytes, bytes] | None:
    """Return a file's size and its first, middle and last bytes; None where it cannot be read."""
    parts = []
    try:
        with open(path, "rb") as file:
            for start in (0, size // 2, size - _SAMPLE):
                file.seek(max(0, start))
                parts.append(file.read(_SAMPLE))
    except OSError:
        return None
    return size, *parts


def _looks_whole(sample: tuple[int, bytes, bytes, bytes] | None) -> bool:
    """Say whether a file begins and ends like a picture; those that do not are decoded to be sure."""
    _, head, _, tail = sample or (0, b"", b"", b"")
    for start, end in _ENDS.items():
        if head.startswith(start):
            return end in tail
    return head.startswith(_STARTS) or head[4:12] in (b"ftypavif", b"ftypavis")


def _groups(keys: Iterable[tuple[int, Hashable]]) -> list[list[int]]:
    """Return the rows whose keys occur more than once."""
    rows = defaultdict(list)
    for row, key in keys:
        rows[key].append(row)
    return [group for group in rows.values() if len(group) > 1]
