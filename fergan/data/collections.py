"""The collections whose photographs are files: one function each, from the folder its owners ship to paths and labels.

All take (folder, variant, csv), see `fergan.data.open_photographs`, and return `Contents`; what the folders look like stands
in catalogue.yaml.
"""

import io
import re
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.data.folders import (
    Contents,
    NameRule,
    is_picture,
    list_files,
    one_per_name,
    read_csv_table,
    read_lines,
    read_named,
    within,
)  # fmt: skip

# RaFD. The words are this project's own: https://rafd.socsci.ru.nl/Overview.html
RAFD_EMOTIONS = ("angry", "contemptuous", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
#: The camera's angle in degrees -> the view. From 090 the face is seen from the front.
RAFD_CAMERAS = {"000": "camera-000", "045": "camera-045", "090": "frontal", "135": "camera-135", "180": "camera-180"}
RAFD_GAZES = ("frontal", "left", "right")
#: Camera angle, model, group, sex, emotion, gaze: https://rafd.socsci.ru.nl/FAQ.html
RAFD_RULE = NameRule(
    r"Rafd(?P<view>\d{3})_(?P<subject>\d{2})_(?P<group>[A-Za-z]+)_(?P<sex>[a-z]+)_(?P<emotion>[a-z]+)_(?P<gaze>[a-z]+)\.jpg",
    view=RAFD_CAMERAS, group=("Caucasian", "Kid", "Moroccan"), sex=("female", "male"), emotion=RAFD_EMOTIONS,
    gaze=RAFD_GAZES,
)  # fmt: skip

# KDEF. The codes of its own description: https://kdef.se, "About KDEF"
KDEF_SESSIONS = {"A": "session-a", "B": "session-b"}
KDEF_PEOPLE = tuple(f"{sex}{number:02d}" for sex in "FM" for number in range(1, 36))
KDEF_EMOTIONS = {
    "AF": "fearful", "AN": "angry", "DI": "disgusted", "HA": "happy", "NE": "neutral", "SA": "sad", "SU": "surprised",
}  # fmt: skip
KDEF_VIEWS = {"FL": "full-left", "HL": "half-left", "S": "frontal", "HR": "half-right", "FR": "full-right"}
KDEF_RULE = NameRule(
    r"(?P<session>[A-Z])(?P<subject>[A-Z]\d{2})(?P<emotion>[A-Z]{2})(?P<view>[A-Z]{1,2})\.JPG",
    session=KDEF_SESSIONS, subject=KDEF_PEOPLE, emotion=KDEF_EMOTIONS, view=KDEF_VIEWS,
)  # fmt: skip
#: Two files are shipped with cut names. In each folder exactly one name of the rule is absent. The letter that is left
#: agrees with it for AM31 ("H" of "HR"); for AF31 ("V") it says nothing, and the correction rests on elimination alone.
#: Users of the set who wrote down a correction give these two.
KDEF_MISNAMED = {"AF31V.JPG": "AF31SAHL.JPG", "AM31H.JPG": "AM31SUHR.JPG"}

#: RAF-DB: the numbers of its table, as the set's readme explains them.
RAF_DB_EMOTIONS = {
    "1": "surprised", "2": "fearful", "3": "disgusted", "4": "happy", "5": "sad", "6": "angry", "7": "neutral",
}  # fmt: skip
RAF_DB_TABLE = "EmoLabel/list_patition_label.txt"

CELEBA_FOLDERS = {"": "img_align_celeba", "aligned": "img_align_celeba", "in-the-wild": "img_celeba"}
_ATTRIBUTES, _IDENTITIES, _PARTITIONS = "list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt"
#: The numbers of list_eval_partition.txt, as its readme explains them.
_CELEBA_SPLITS = {0: "train", 1: "val", 2: "test"}

#: SFEW: the folders of each part -> the emotion.
SFEW_EMOTIONS = {
    "Angry": "angry", "Disgust": "disgusted", "Fear": "fearful", "Happy": "happy", "Neutral": "neutral", "Sad": "sad",
    "Surprise": "surprised",
}  # fmt: skip
_SFEW_SPLITS = {"Train": "train", "Val": "val", "Test": "test"}
_SFEW_FRAME = re.compile(r"(?P<film>.+)_\d+_\d+\.\w+")  # film, time and frame: Airheads_000519240_00000005.png

#: CMU Faces: person, pose, expression, eyes, scale: https://archive.ics.uci.edu/dataset/124/cmu+face+images
CMU_RULE = NameRule(
    r"(?P<subject>[a-z0-9]+)_(?P<view>[a-z]+)_(?P<emotion>[a-z]+)_(?P<eyes>[a-z]+)(?P<scale>(?:_\d)?)\.pgm",
    subject=("an2i", "at33", "boland", "bpm", "ch4f", "cheyer", "choon", "danieln", "glickman", "karyadi", "kawamura",
             "kk49", "megak", "mitchell", "night", "phoebe", "saavik", "steffi", "sz24", "tammo"),
    view={"straight": "frontal", "left": "left", "right": "right", "up": "up"}, emotion=("neutral", "happy", "sad", "angry"),
    eyes=("open", "sunglasses"), scale={"": "", "_2": "half", "_4": "quarter"},
)  # fmt: skip

#: LFW: person and number of the photograph: http://vis-www.cs.umass.edu/lfw/README.txt
LFW_RULE = NameRule(r"(?P<subject>.+)_(?P<number>\d{4})\.jpg")

#: London Set: folder -> the number in its file names, and what was asked for.
LONDON_FOLDERS = {"neutral_front": ("03", "neutral"), "smiling_front": ("08", "smiling")}
_LONDON_NAME = re.compile(r"(?P<subject>\d{3})_(?P<code>\d{2})\.jpg")


def rafd_names(models: Iterable[tuple[str, str, str]], variant: str = "") -> Iterator[str]:
    """Generate the names of all photographs of these models, each given as its number (two digits), group and sex."""
    cameras = ["090"] if variant == "frontal" else RAFD_CAMERAS
    gazes = ["frontal"] if variant == "multiview" else RAFD_GAZES
    for (number, group, sex), camera, emotion, gaze in product(models, cameras, RAFD_EMOTIONS, gazes):
        yield f"Rafd{camera}_{number}_{group}_{sex}_{emotion}_{gaze}.jpg"


def read_rafd(folder: Path, variant: str, csv: str) -> Contents:
    """RaFD: file names say everything. ``"frontal"`` is the camera at 90 degrees, ``"multiview"`` the frontal gaze.

    Missing is what would complete the models that are there: which numbers were given is nowhere published.
    """
    files = list_files(folder)
    table, unknown = read_named(files, RAFD_RULE)
    table, again = one_per_name(table)
    models = table[["subject", "group", "sex"]].drop_duplicates().itertuples(index=False, name=None)
    there = {path.rpartition("/")[2] for path in table["source"]}
    missing = [name for name in rafd_names(models, variant) if name not in there]
    if variant == "frontal":
        table = table[table["view"] == "frontal"]
    if variant == "multiview":
        table = table[table["gaze"] == "frontal"]
    return Contents(folder, files, table, missing=missing, unknown=unknown | again)


def kdef_names(variant: str = "") -> Iterator[str]:
    """Generate the names of all photographs of both sessions, or of one."""
    sessions = [session for session, named in KDEF_SESSIONS.items() if variant in ("", named)]
    yield from map("".join, product(sessions, KDEF_PEOPLE, KDEF_EMOTIONS, KDEF_VIEWS, [".JPG"]))


def read_kdef(folder: Path, variant: str, csv: str) -> Contents:
    """KDEF: names of eight letters; the averaged faces (AKDEF) shipped beside them are left alone.

    ``subject`` has no session: AF01 and BF01 are the same woman.
    """

    def true_name(name: str) -> str:
        return KDEF_MISNAMED.get(name.upper(), name.upper())

    root = within(folder, "KDEF_and_AKDEF/KDEF", "KDEF")
    files = list_files(root)
    table, unknown = read_named(files, KDEF_RULE, true_name)
    table, again = one_per_name(table, true_name)
    there = {true_name(path.rpartition("/")[2]) for path in table["source"]}
    problems = [
        f"{root / path}: taken for {KDEF_MISNAMED[name]}, by the name that is absent there"
        for path in table["source"]
        if (name := path.rpartition("/")[2].upper()) in KDEF_MISNAMED
    ]
    if variant:
        table = table[table["session"] == variant]
    missing = [name for name in kdef_names(variant) if name not in there]
    return Contents(root, files, table, missing=missing, unknown=unknown | again, problems=problems)


def read_raf_db(folder: Path, variant: str, csv: str) -> Contents:
    """RAF-DB, the basic set: a table of labels; the official split is in the names that it lists.

    Photographs are known by their names, at whatever depth below ``Image/original`` or ``Image/aligned`` the archive inside
    the archive was unpacked. Nobody is named, so every photograph counts as a person of its own.
    """
    root = within(folder, "basic", "RAF-DB/basic", "RAFDB/basic")
    aligned = variant == "aligned"
    table = _raf_db_emotions(root / RAF_DB_TABLE)
    stems = table.index.str.removesuffix(".jpg")
    names = [f"{stem}_aligned.jpg" if aligned else f"{stem}.jpg" for stem in stems]
    table["split"] = stems.str.partition("_").get_level_values(0)
    files = list_files(root)
    place = "Image/aligned/" if aligned else "Image/original/"
    pictures = sorted((path for path in files if path.startswith(place) and is_picture(path)), key=lambda p: p.count("/"))
    found, again = one_per_name(pd.DataFrame({"source": pd.Series(pictures, dtype=object)}))
    by_name = {path.rpartition("/")[2]: path for path in found["source"]}
    named = set(names)
    missing = [place + name for name in names if name not in by_name]
    unknown = {path: f"not in {RAF_DB_TABLE}" for name, path in by_name.items() if name not in named}
    table["source"] = [by_name.get(name) for name in names]
    labels = table[table["source"].notna()].assign(view="wild")
    return Contents(root, files, labels, [RAF_DB_TABLE], missing=missing, unknown=unknown | again)


def _raf_db_emotions(path: Path) -> pd.DataFrame:
    """Return the emotion per file name."""
    what = "the table of RAF-DB's basic set, with lines such as 'train_00001.jpg 5'"
    emotions: dict[str, str] = {}
    for number, line in enumerate(read_lines(path, what), start=1):
        if not line.strip():
            continue
        name, _, code = line.strip().partition(" ")
        if not name.startswith(("train_", "test_")) or code.strip() not in RAF_DB_EMOTIONS:
            raise ValueError(f"{path}, line {number}: {line.strip()!r}; expected train_ or test_NNNNN.jpg and 1 to 7")
        if name in emotions:
            raise ValueError(f"{path}, line {number}: {name} is listed twice; keep one")
        emotions[name] = RAF_DB_EMOTIONS[code.strip()]
    return pd.DataFrame({"emotion": pd.Series(emotions, dtype="string")})


def read_celeba(folder: Path, variant: str, csv: str) -> Contents:
    """CelebA: tables, and photographs in whatever folders the archives were unpacked.

    ``Smiling`` becomes AU12, which is what a smile is; the other attributes are kept as columns in lower case (1, 0 or
    missing). A missing table costs its labels only: the photographs can be trained on without.
    """
    files = list_files(folder)
    readers = {_PARTITIONS: _celeba_split, _IDENTITIES: _celeba_identity, _ATTRIBUTES: _celeba_attributes}
    places = {path.rpartition("/")[2]: path for path in files if path.endswith(tuple(readers))}
    # Their folder may lie anywhere and be nested in one of its name.
    there = (path for path in files if path.count("/") and is_picture(path))
    pictures = {path.rpartition("/")[2]: path for path in there if path.split("/")[-2] == CELEBA_FOLDERS[variant]}
    problems, tables, missing, unknown = [], [], set(), {}
    labels = pd.DataFrame({"source": pd.Series(pictures, dtype=object)})
    for name, read in readers.items():
        if name not in places:
            problems.append(f"{folder}: {name} is missing, so what it says is not known")
            continue
        table = read(folder / places[name])
        tables.append(places[name])
        missing |= set(table.index).difference(pictures)
        labels = labels.join(table)
    if tables:
        named = labels.drop(columns="source").notna().any(axis=1)
        unknown = dict.fromkeys(labels["source"][~named], "in none of the tables")
        labels = labels[named]
    return Contents(folder, files, labels.assign(view="wild"), tables, sorted(missing), unknown, problems)


def _celeba_table(path: Path, columns: list[str], skip: int = 0) -> pd.DataFrame:
    """Read a table of a name and whole numbers, separated by spaces; the index holds the names."""
    what = f"a name and {len(columns)} whole numbers a line" if len(columns) > 3 else f"a name and its {columns[0]}"
    lines, names = read_lines(path, what)[skip:], set()
    for number, line in enumerate(lines, start=skip + 1):
        name, *values = line.split() or [""]
        whole = len(values) == len(columns) and all(value.removeprefix("-").isdigit() for value in values)
        if name and (not whole or name in names):
            why = f"{name} is listed twice" if name in names else line[:40].strip()
            raise ValueError(f"{path}, line {number} is not readable ({why}); expected {what}")
        names.add(name)
    text = io.StringIO("\n".join(lines))
    return pd.read_csv(text, sep=r"\s+", header=None, names=["name", *columns], index_col="name", dtype={"name": str})


def _celeba_split(path: Path) -> pd.DataFrame:
    split = _celeba_table(path, ["split"])["split"]
    if not split.isin(_CELEBA_SPLITS).all():
        raise ValueError(f"{path}: {split[~split.isin(_CELEBA_SPLITS)].index[0]} is in none of the parts 0, 1, 2")
    return split.map(_CELEBA_SPLITS).astype("string").to_frame()


def _celeba_identity(path: Path) -> pd.DataFrame:
    return _celeba_table(path, ["subject"]).astype("string")


def _celeba_attributes(path: Path) -> pd.DataFrame:
    head = read_lines(path, "the attributes of CelebA")[:2]  # how many photographs there are, and the attributes
    names = head[1].split() if len(head) > 1 else []
    if "Smiling" not in names:
        raise ValueError(f"{path}: no attribute Smiling in line 2; expected the attributes' names there")
    table = _celeba_table(path, names, skip=2)
    if not (np.abs(table.to_numpy()) == 1).all():
        raise ValueError(f"{path} holds something other than 1 and -1; take the file as its owners ship it")
    table = (table > 0).astype("Int8").rename(columns=str.lower)
    return table.drop(columns="smiling").assign(AU12=table["smiling"].astype(float))


def read_sfew(folder: Path, variant: str, csv: str) -> Contents:
    """SFEW 2.0: a folder for each part and emotion; those of aligned faces are like ``Train_Aligned_Faces/Angry``.

    The default is Train and Val; the labels of Test were kept by the organisers. The frames themselves are read, and the
    aligned faces where there are no frames; variants that begin with ``aligned`` read the aligned faces only. The same faces
    are in both, so that they are never read together. ``subject`` is the film, where the file name has one: folds that keep
    films apart keep their people apart, but for those who act in several.
    """
    part = variant.removeprefix("aligned").removeprefix("-")
    parts = [part] if part else ["train", "val"]
    files = list_files(folder)
    rows, unknown = [], {}
    for path in filter(is_picture, files):
        *parents, name = path.split("/")
        starts = (parent.partition("_")[0] for parent in parents)
        split = next((_SFEW_SPLITS[start] for start in starts if start in _SFEW_SPLITS), None)
        emotion = SFEW_EMOTIONS.get(parents[-1]) if parents else None
        if split is None:
            unknown[path] = f"in none of the folders {', '.join(_SFEW_SPLITS)}"
        elif emotion is None and split != "test":
            unknown[path] = f"folder {parents[-1]!r} is no emotion; expected one of {', '.join(SFEW_EMOTIONS)}"
        elif split in parts:
            film = _SFEW_FRAME.fullmatch(name)
            rows.append({"source": path, "emotion": emotion, "split": split, "subject": film["film"] if film else None,
                         "aligned": any("aligned" in parent.lower() for parent in parents)})
    labels = pd.DataFrame(rows, columns=["source", "emotion", "split", "subject", "aligned"]).assign(view="wild")
    aligned, problems = labels.pop("aligned").astype(bool), []
    wanted = aligned if variant.startswith("aligned") or aligned.all() else ~aligned
    if aligned.all() and len(labels) and not variant.startswith("aligned"):
        problems.append(f"{folder}: only aligned faces are there; they are read in place of the frames")
    elif not wanted.all() and wanted.any():
        read, other = ("aligned faces", "frames") if wanted[aligned].any() else ("frames", "aligned faces")
        problems.append(f"{folder}: frames and aligned faces are both there; the {read} are read, the {other} are not")
    return Contents(folder, files, labels[wanted], unknown=unknown, problems=problems)


def read_lfw(folder: Path, variant: str, csv: str) -> Contents:
    """LFW: a folder for each person; the funneled photographs, turned until they agree with each other, go before."""
    root = within(folder, "lfw_home/lfw_funneled", "lfw_funneled", "lfw-funneled", "lfw_home/lfw", "lfw")
    files = list_files(root, depth=1)
    table, unknown = read_named(files, LFW_RULE)
    parents = pd.Series([path.rpartition("/")[0] for path in table["source"]], dtype=object)
    own = parents == table["subject"]
    unknown |= dict.fromkeys(table["source"][~own], "not in the folder of its person")
    return Contents(root, files, table[own].drop(columns="number").assign(view="wild"), unknown=unknown)


def read_genki(folder: Path, variant: str, csv: str) -> Contents:
    """GENKI-4K: line n of ``labels.txt`` belongs to ``files/file000n.jpg``. A smile is AU12.

    ``yaw, pitch, roll`` are in radians. Nobody is named, so every photograph counts as a person of its own.
    """
    root = within(folder, "genki4k", "GENKI-4K")
    path, rows = root / "labels.txt", []
    lines = read_lines(path, "a line for each photograph: 1 (smile) or 0, then yaw, pitch and roll in radians")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                smile, yaw, pitch, roll = (float(value) for value in line.split())
                if smile not in (0, 1):
                    raise ValueError
            except ValueError:
                raise ValueError(
                    f"{path}, line {number}: {line.strip()!r}; expected 0 or 1, then yaw, pitch and roll"
                ) from None
            rows.append((f"files/file{number:04d}.jpg", smile, yaw, pitch, roll))
    table = pd.DataFrame(rows, columns=["source", "AU12", "yaw", "pitch", "roll"])
    files = list_files(root)
    there, named = table["source"].isin(files), set(table["source"])
    unknown = {path: "has no line in labels.txt" for path in files if is_picture(path) and path not in named}
    missing = table["source"][~there].tolist()
    return Contents(root, files, table[there].assign(view="wild"), ["labels.txt"], missing=missing, unknown=unknown)


def read_cmu_faces(folder: Path, variant: str, csv: str) -> Contents:
    """CMU Faces, one of three sizes; those that end in ``.bad`` are damaged, say their owners."""
    root = within(folder, "faces_4/faces", "faces")
    files = list_files(root)
    table, unknown = read_named(files, CMU_RULE)
    return Contents(root, files, table[table["scale"] == variant].drop(columns="scale"), unknown=unknown)


def read_london(folder: Path, variant: str, csv: str) -> Contents:
    """London Set: names and, where it is there, the table of the people's gender, age and ethnicity.

    A smile is AU12. ``expression`` is what the people were asked for; it is not taken for an emotion.
    """
    files = list_files(folder)
    rows, unknown = [], {}
    for path in files:
        *parents, name = path.split("/")
        where = next((parent for parent in parents if parent in LONDON_FOLDERS), None)
        if where is None or not is_picture(name):
            continue  # the archives of other views may lie beside
        code, expression = LONDON_FOLDERS[where]
        match = _LONDON_NAME.fullmatch(name)
        if match and match["code"] == code:
            rows.append({"source": path, "subject": match["subject"], "expression": expression})
        else:
            unknown[path] = f"not named like 001_{code}.jpg"
    labels = pd.DataFrame(rows, columns=["source", "subject", "expression"]).assign(view="frontal")
    labels["AU12"] = (labels["expression"] == "smiling").astype(float)
    name = "london_faces_info.csv"
    tables = [path for path in files if path.rpartition("/")[2] == name][:1]
    problems = [] if tables else [f"{folder}: {name} is missing, so gender, age and ethnicity are not known"]
    for table in tables:
        labels = labels.join(_london_people(folder / table), on="subject")
    missing = [
        f"{where}/{subject}_{code}.jpg"
        for where, (code, expression) in LONDON_FOLDERS.items()
        for subject in sorted(set(labels["subject"]) - set(labels["subject"][labels["expression"] == expression]))
    ]
    return Contents(folder, files, labels, tables, missing, unknown, problems)


def _london_people(path: Path) -> pd.DataFrame:
    """Return gender, age in years and ethnicity by the person's number; the table writes X001 for 001."""
    table = read_csv_table(path, "columns face_id, face_age, face_gender and face_eth")
    if "face_id" not in table:
        raise ValueError(f"{path} has columns {', '.join(table)}; expected face_id, face_age, face_gender and face_eth")
    names = {"face_gender": "gender", "face_sex": "gender", "face_age": "age", "face_eth": "ethnicity"}
    people = table.set_index(table["face_id"].str.lstrip("X"))[[column for column in names if column in table]]
    people = people.rename(columns=names)
    people = people.loc[~people.index.duplicated(), ~people.columns.duplicated()]
    if "age" in people:
        people["age"] = pd.to_numeric(people["age"], errors="coerce")
    return people.replace({"": pd.NA})
