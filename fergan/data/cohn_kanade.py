"""CK+, the extended Cohn-Kanade set, and the enhanced Cohn-Kanade codes of single frames for the same photographs.

Photographs are frames of sequences that go from the neutral face to the apex of an expression:
``cohn-kanade-images/S005/001/S005_001_00000011.png`` is person S005, sequence 001, frame 11.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.data.folders import Contents, FileState, is_picture, list_files, read_csv_table, read_lines
from fergan.facs import ACTION_UNITS

#: The numbers of the files under Emotion, as the set's readme explains them.
CK_EMOTIONS = {
    0: "neutral", 1: "angry", 2: "contemptuous", 3: "disgusted", 4: "fearful", 5: "happy", 6: "sad", 7: "surprised",
}  # fmt: skip

_FRAME = re.compile(r"(?P<sequence>(?P<subject>S\d{3})_\d{3})_(?P<frame>\d{8})\.png")
_LABEL = re.compile(r"(?P<sequence>S\d{3}_\d{3})_(?P<frame>\d{8})_(?P<kind>emotion|facs)\.txt")

#: FACS grades intensity from A (trace) to E (maximum); here it runs from 0 to 1, as in `fergan.facs`.
_GRADES = {grade: number / 5 for number, grade in enumerate("ABCDE", start=1)}


def read_ck_plus(folder: Path, variant: str, csv: str) -> Contents:
    """CK+: the apex of every sequence, labelled by its coders, and unless the variant is ``"apex"`` its neutral start.

    A FACS file lists what is shown: every other Action Unit was looked for and is 0. Intensities 1 to 5 become .2 to 1 in
    ``AU01_intensity`` and so on; where an Action Unit was coded without one (0 in the file) it is missing there. The first
    frame is neutral by the set's design, not by a coder: its Action Units are 0. A sequence without a validated emotion
    keeps its Action Units and has no emotion.
    """
    files = list_files(folder)
    frames, unknown = _frames(files)
    labels, problems = _label_files(files)
    rows: list[dict[str, object]] = []
    n_coded = 0
    for sequence, group in frames.groupby("sequence", sort=True):
        first, last = group.iloc[0].to_dict(), group.iloc[-1].to_dict()
        units = _read_labels(folder, labels.get((sequence, "facs")), last["frame"], problems)
        n_coded += bool(units)
        last |= units | _read_labels(folder, labels.get((sequence, "emotion")), last["frame"], problems)
        if (sequence, "facs") not in labels:
            problems.append(f"{folder / last['source']}: no FACS file, so its Action Units are not known")
        if len(group) == 1:
            problems.append(f"{folder / last['source']}: the only frame of its sequence, so it has no neutral start")
        elif not variant:
            rows.append(first | {"emotion": "neutral"} | _units({}))
        rows.append(last)
    used = [path for path, _ in labels.values()]
    table = pd.DataFrame(rows).assign(view="frontal") if rows else pd.DataFrame(columns=["source"])
    return Contents(folder, files, table, used, unknown=unknown, problems=problems, coded=n_coded)


def read_enhanced_ck(folder: Path, variant: str, csv: str) -> Contents:
    """Enhanced CK: the frames that a table of codes lists; the photographs are those of Cohn-Kanade or CK+.

    The table `csv`, relative to the folder or absolute, is CSV (UTF-8, commas, one header line). ``sequence`` and ``frame``
    are as in the photograph's file name; then come Action Units, ``AU01`` or ``AU1`` to ``AU27``: 0 absent, 1 present, or
    the grade of intensity A to E where it was coded; blank where nobody looked. Emotions are not coded. For example::

        sequence,frame,AU01,AU02,AU12,AU25
        S005_001,6,0,0,B,1
        S005_001,11,,0,D,1
    """
    files = list_files(folder)
    frames, unknown = _frames(files)
    path = folder / csv
    codes, problems = _read_codes(path)
    files.setdefault(csv, FileState(path.stat().st_size, path.stat().st_mtime_ns))
    coded = frames.merge(codes, on=["sequence", "frame"], how="inner")
    found = set(zip(coded["sequence"], coded["frame"], strict=True))
    missing = [f"{s}_{f:08d}.png" for s, f in zip(codes["sequence"], codes["frame"], strict=True) if (s, f) not in found]
    if len(coded) < len(frames):
        problems.append(f"{folder}: {len(frames) - len(coded):,} frames are not in {csv}; left out")
    return Contents(folder, files, coded.assign(view="frontal"), [csv], missing, unknown, problems)


def _frames(files: dict[str, FileState]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return source, subject, sequence and frame of each photograph, in the order of sequences and frames."""
    rows, unknown = [], {}
    for path in filter(is_picture, files):
        if match := _FRAME.fullmatch(path.rpartition("/")[2]):
            rows.append({"source": path} | match.groupdict())
        else:
            unknown[path] = "not named like S005_001_00000011.png"
    frames = pd.DataFrame(rows, columns=["source", "subject", "sequence", "frame"])
    frames["frame"] = frames["frame"].astype(int)
    return frames.drop_duplicates(["sequence", "frame"]).sort_values(["sequence", "frame"]), unknown


def _label_files(files: dict[str, FileState]) -> tuple[dict[tuple[str, str], tuple[str, int]], list[str]]:
    """Return path and frame of the label file of each sequence and kind, and what is wrong with them."""
    found: dict[tuple[str, str], tuple[str, int]] = {}
    problems = []
    for path in files:
        match = _LABEL.fullmatch(path.rpartition("/")[2])
        if match and (match["sequence"], match["kind"]) in found:
            problems.append(f"{path}: a second {match['kind']} file of {match['sequence']}; left out")
        elif match:
            found[match["sequence"], match["kind"]] = path, int(match["frame"])
    return found, problems


def _read_labels(folder: Path, label: tuple[str, int] | None, last: int, problems: list[str]) -> dict[str, object]:
    """Return the labels of a sequence's last frame from one file; nothing, and a problem, where it cannot be used."""
    if label is None:
        return {}
    path, frame = label
    if frame != last:
        problems.append(f"{folder / path}: labels frame {frame}, but the last frame here is {last}; left out")
        return {}
    lines = [line.split() for line in read_lines(folder / path, "a label of CK+") if line.strip()]
    try:
        values = [[float(value) for value in line] for line in lines]
        if path.endswith("_emotion.txt"):
            ((code,),) = values
            return {"emotion": CK_EMOTIONS[int(code)]}
        shown = {f"AU{int(unit):02d}": intensity for unit, intensity in values}
        if not all(0 <= intensity <= 5 for intensity in shown.values()):
            raise ValueError
        return _units({unit: intensity / 5 if intensity else np.nan for unit, intensity in shown.items()})
    except (ValueError, KeyError):
        expected = "one number from 0 to 7" if path.endswith("_emotion.txt") else "lines of an Action Unit and 0 to 5"
        problems.append(f"{folder / path}: expected {expected}; left out")
        return {}


def _units(shown: dict[str, float]) -> dict[str, float]:
    """Return occurrence and intensity of every Action Unit where these are shown and all were looked for."""
    occurrences = {unit: float(unit in shown) for unit in ACTION_UNITS}
    return occurrences | {f"{unit}_intensity": shown.get(unit, 0.0) for unit in ACTION_UNITS}


def _read_codes(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return sequence, frame, and the Action Units of each line of the frames' table, and what of it is not used."""
    table = read_csv_table(path, "the codes of each frame, with columns sequence, frame, AU01 and so on")
    table.columns = [re.sub(r"(?i)^AU0*(\d+)$", lambda match: f"AU{int(match[1]):02d}", column) for column in table]
    units = [unit for unit in ACTION_UNITS if unit in table]
    others = [column for column in table if column not in ("sequence", "frame", *units)]
    absent = [column for column in ("sequence", "frame") if column not in table]
    if absent or not units or table.columns.duplicated().any():
        raise ValueError(f"{path} has columns {', '.join(table)}; expected sequence, frame and Action Units, each once")
    codes = pd.DataFrame({"sequence": table["sequence"], "frame": pd.to_numeric(table["frame"], errors="coerce")})
    wrong = ~(codes["frame"] % 1 == 0) | ~codes["sequence"].str.fullmatch(r"S\d{3}_\d{3}") | codes.duplicated()
    if wrong.any():
        line = codes.index[wrong][0]
        given = f"{table.loc[line, 'sequence']}, frame {table.loc[line, 'frame']}"
        raise ValueError(f"{path}, line {line}: {given}; expected for example S005_001 and 11, each pair once")
    codes["frame"] = codes["frame"].astype(int)
    for unit in units:
        text = table[unit].str.upper().replace("", "NAN")
        known = text.isin(["0", "1", "NAN", *_GRADES])
        if not known.all():
            line = text.index[~known][0]
            raise ValueError(f"{path}, line {line}: {unit} is {table.loc[line, unit]!r}; expected 0, 1, A to E, or blank")
        codes[unit] = text.map({"0": 0.0, "1": 1.0} | dict.fromkeys(_GRADES, 1.0)).astype(float)
        if text.isin(_GRADES).any():
            codes[f"{unit}_intensity"] = text.map({"0": 0.0} | _GRADES).astype(float)
    return codes, [f"{path}: {', '.join(others)} ignored; studied are {', '.join(ACTION_UNITS)}"] if others else []
