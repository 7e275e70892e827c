"""Whatever tables, files and profiles are given: a clear line, or the finished Markdown of the page."""

import tempfile
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fergan.book.chapters import data as chapter
from fergan.book.checks import check_data, load_profile
from fergan.book.profile import ProfileError
from fergan.book.show import markdown_table, say
from fergan.data.collections import open_photographs
from fergan.data.cropping import CroppingAccount, make_faces
from fergan.data.faces import FaceSet

NAMES = st.sampled_from([
    "path", "Path", "subject", "person", "id", "emotion", "expression", "AU12", "AU12_c", "au 6", "AU12_r", "AU10", "smile", "view",
    "pose", "split", "yaw", "source", "", "{{ 7*7 }}", "<b>", "a_$5_$", "né",
])
WORDS = st.sampled_from([
    "", "a.png", "b.png", "sub/c.png", "gone.png", "../x.png", "/etc/passwd", "sub\\c.png", "{{ 7*7 }}.jpg", "<b>x</b>.jpg", "a|b\nc",
    "NA", "nan", "None", "sad", "Joy", "hungry", "0", "1", "2.5", "0,5", "-1", "TRUE", "inf", "Train", "José", "Jose\u0301", "\0",
    "[1](2)", "x" * 300,
]) | st.text(max_size=4)
FILES = st.sampled_from([None, None, None, b"", b"<html>", b"\xff\xd8\xff", b"GIF8"])  # None is a sound picture
VALUES = st.none() | st.booleans() | st.integers(-2, 70) | st.floats() | st.text(max_size=3) | st.just(["a"]) | st.just({})
SETS = st.just({}) | st.dictionaries(st.sampled_from(["csv", "n_faces", "detector", "margin", "padding", "relabel", "variant", "epochs"]), VALUES, max_size=2)
SECTIONS = st.just({}) | st.dictionaries(st.sampled_from(["training", "emotions", "fitted", "seed", "quality", "datasets", "threads"]), VALUES, max_size=2)


@st.composite
def tables(draw):
    """A table of labels, in most cases one that can be read."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    rows = draw(st.lists(st.lists(WORDS, min_size=len(names), max_size=len(names)), max_size=6))
    separator, sound = draw(st.sampled_from(",,,;\t")), draw(st.booleans())
    if sound:
        names, rows = ["path", *names], [[name, *row] for name, row in zip(("a.png", "b.png", "sub/c.png"), rows, strict=False)]
    quoted = [[f'"{word}"' if set(word) & set(",;\t\n\r") else word for word in row] for row in (names, *rows)]
    return "\n".join(separator.join(row) for row in quoted).encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "latin-1"])), "replace")


@settings(max_examples=350, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(table=tables(), files=st.lists(FILES, min_size=3, max_size=3), of_set=SETS, sections=SECTIONS)
def test_any_table_files_and_profile_give_a_clear_line_or_the_finished_page(table, files, of_set, sections):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "sub").mkdir()
        for number, (name, content) in enumerate(zip(("a.png", "b.png", "sub/c.png"), files, strict=True)):
            Image.linear_gradient("L").rotate(90 * number).save(folder / name)
            if content is not None:
                (folder / name).write_bytes(content)
        (folder / "labels.csv").write_bytes(table)
        content = yaml.safe_load((Path(__file__).parents[1] / "profiles" / "own.yaml").read_text())
        content["datasets"] = {"mine": {"source": "manifest", "detector": "none"} | of_set}
        content |= {"emotion_experiments": [{"experiment": 11, "pretrained": "mine", "target": "mine"}]} | sections
        (folder / "mine.yaml").write_text(yaml.safe_dump(content | {"label_efficiency": {}}))
        try:
            profile = load_profile(folder / "mine.yaml", data=place)
        except ProfileError as error:
            assert str(error) and "Traceback" not in str(error)
            return
        found = check_data(profile)
        assert found.lines() and all(isinstance(line, str) for line in found.lines())
        if found.reports:
            finish_page(folder, profile.datasets["mine"])


def finish_page(folder, dataset):
    """Crop, and write what the page says: without a kernel."""
    config = dataset.faces.model_copy(update={"detector": "none"})
    photographs = open_photographs("mine", "manifest", folder=str(folder), csv=dataset.csv, n_faces=dataset.n_faces)
    try:
        make_faces(folder / "made", config, photographs=photographs, progress=False)
    except ValueError as error:
        assert "found no face in any of" in str(error)
        return
    faces, account = FaceSet.load(folder / "made"), CroppingAccount.load(folder / "made")
    pages = [say("data", "answer_of_set", faces=faces, account=account, people=faces.labels["subject"].nunique(), subjects="people", config=config)]
    pages += [markdown_table(table) for table in (chapter.losses(account), chapter.unit_counts(faces), chapter.listed_photographs(account))]
    assert not any(live in page for page in pages for live in ("{{", "<b>", "<html>", "_$"))
