"""Planted faults in small trees, each found and judged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from fergan.data import checks, collections, config
from fergan.data.checks import check_photographs
from fergan.data.collections import open_photographs
from fergan.data.config import CATALOGUE, Collection, Published
from fergan.facs import EMOTIONS

PEOPLE = [f"{session}{sex}{number:02d}" for session in "A" for sex in "FM" for number in range(1, 6)]


def published(photographs, people, emotions=None, **more):
    return Published(photographs=photographs, people=people, emotions=emotions or {}, **more)


def with_variants(source, variants):
    return CATALOGUE[source].model_copy(update={"variants": {"": Published()} | variants})


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Ten people of KDEF's first session, and a catalogue that says that this is all: 350 photographs."""
    content = np.random.default_rng(0).integers(0, 256, (350, 6, 8), dtype=np.uint8)
    names = [name for name in collections.kdef_names("session-a") if name[:4] in PEOPLE]
    for name, image in zip(names, content, strict=True):
        path = tmp_path / name[:4] / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path, "JPEG")
    emotions = {emotion: 50 for emotion in EMOTIONS if emotion != "contemptuous"}
    record = with_variants("kdef", {"session-a": published(350, 10, emotions)})
    monkeypatch.setitem(config.CATALOGUE, "kdef", record)
    monkeypatch.setattr(collections, "kdef_names", lambda variant: names)
    return tmp_path


def check(folder: Path):
    return check_photographs(open_photographs("kdef", "kdef", folder=str(folder), variant="session-a"), "kdef", "session-a")


def replace(folder: Path, old: str, new: str) -> None:
    shutil.copy(folder / old[:4] / old, folder / new[:4] / new)


def test_a_whole_set_is_as_published(tree):
    report = check(tree)
    assert (report.photographs, report.people, sum(report.emotions.values())) == (350, 10, 350)
    assert report.faults == report.warnings == []
    lines = report.lines()
    assert lines[0] == "KDEF, session-a: 350 photographs of 10 people"
    assert "as published" in lines
    assert lines[-1].startswith("verified in ")
    json.dumps(report.to_dict(), allow_nan=False)


def test_a_few_missing_photographs_are_a_warning_and_many_a_fault(tree):
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("AF0*AFS.JPG"))
    (tree / names[0]).unlink()
    report = check(tree)
    assert report.missing == [Path(names[0]).name]
    assert report.faults == []
    text = "\n".join(report.warnings)
    assert "349 photographs; published are 350" in text
    assert "49 fearful (50)" in text
    assert f"1 file is missing: {Path(names[0]).name}" in text
    assert "350 published" in report.lines()[0]
    shutil.rmtree(tree / "AF05")
    report = check(tree)
    assert report.faults == ["314 photographs; KDEF has 350, and at least 315 are needed to speak of it"]
    assert not any("314 photographs; published" in warning for warning in report.warnings)
    assert "9 people; published are 10" in "\n".join(report.warnings)


def test_too_few_people_are_a_fault_even_where_photographs_suffice(tree, monkeypatch):
    variants = {"session-a": published(350, 20)}
    monkeypatch.setitem(config.CATALOGUE, "kdef", with_variants("kdef", variants))
    assert check(tree).faults == ["photographs of 10 people; KDEF has 20"]
    variants = {"session-a": published(5000, 70, least=300)}  # a set of which a part may be used
    monkeypatch.setitem(config.CATALOGUE, "kdef", with_variants("kdef", variants))
    report = check(tree)
    assert report.faults == []
    assert report.warnings == ["350 photographs; published are 5,000", "10 people; published are 70"]


def test_an_emotion_that_is_absent_is_a_fault(tree):
    for path in tree.rglob("*SU*.JPG"):
        path.rename(path.with_name(path.name.replace("SU", "XX")))
    report = check(tree)
    assert "no photograph is surprised" in report.faults
    assert any("50 files are no part of this set, and left out: AF01/AF01XXFL.JPG" in w for w in report.warnings)
    assert any(w.endswith("(the first: emotion 'XX' is unknown; expected one of AF, AN, DI, HA, NE, SA, SU)") for w in report.warnings)
    photographs = open_photographs("kdef", "kdef", folder=str(tree), variant="session-a")
    unused = check_photographs(photographs, "kdef", "session-a", used=("Action Units",))
    assert "no photograph is surprised" in unused.warnings and "no photograph is surprised" not in unused.faults


def test_damaged_files_are_named_with_the_reason(tree):
    whole = (tree / "AF01" / "AF01AFS.JPG").read_bytes()
    (tree / "AF01" / "AF01AFS.JPG").write_bytes(whole[:-30])
    (tree / "AF01" / "AF01ANS.JPG").write_bytes(b"")
    (tree / "AF01" / "AF01DIS.JPG").write_text("<html>please log in</html>")
    trailing = tree / "AF01" / "AF01HAS.JPG"  # a whole picture with something after it is no damage
    trailing.write_bytes(trailing.read_bytes() + b"\0" * 200)
    report = check(tree)
    assert report.empty == ["AF01/AF01ANS.JPG"]
    assert sorted(report.unreadable) == ["AF01/AF01AFS.JPG", "AF01/AF01DIS.JPG"]
    assert "truncated" in report.unreadable["AF01/AF01AFS.JPG"]
    assert "not an image" in report.unreadable["AF01/AF01DIS.JPG"]
    assert report.faults == []
    assert any("2 files are unreadable, for example AF01/AF01AFS.JPG: " in warning for warning in report.warnings)
    for path in (*tree.glob("AF02/*.JPG"), *tree.glob("AF03/*.JPG")):
        path.write_bytes(b"")
    assert "73 of 350 photographs are empty or unreadable" in check(tree).faults


def test_many_damaged_files_are_not_all_decoded(tree, monkeypatch):
    monkeypatch.setattr(checks, "_MOST_DECODED", 2)
    for number, path in enumerate(sorted(tree.glob("AF02/*.JPG"))[:4]):
        path.write_text(f"<html>{number}</html>")
    reasons = list(check(tree).unreadable.values())
    assert sum("not an image" in reason for reason in reasons) == 2
    assert [reason.partition(",")[0] for reason in reasons[2:]] == ["begins or ends like no whole picture"] * 2


def test_many_sound_photographs_with_a_film_after_their_end_are_whole(tree, monkeypatch):
    monkeypatch.setattr(checks, "_MOST_DECODED", 2)
    for path in tree.rglob("*.JPG"):
        path.write_bytes(path.read_bytes() + b"\0\0\0\x18ftypmp42" + bytes(500))
    assert check(tree).unreadable == {} and check(tree).faults == []


@pytest.mark.parametrize(("kind", "deep", "n_bytes"), [("ppm", False, 40 * 30 * 3), ("pgm", False, 1200), ("pgm", True, 2400)])
def test_a_portable_pixmap_that_is_cut_off_is_found(kind, deep, n_bytes):
    head = f"P{6 if kind == 'ppm' else 5}\n# a comment\n40 30\n{65535 if deep else 255}\n".encode()
    assert checks._looks_whole(head, b"", len(head) + n_bytes)
    assert not checks._looks_whole(head, b"", len(head) + n_bytes - 1)


@pytest.mark.parametrize("start", [b"P2\n128 120\n255\n", b"BM", b"RIFF", b"II*\x00", b"\0\0\0 ftypavif"])
def test_a_format_whose_end_says_nothing_is_not_doubted(start):
    assert checks._looks_whole(start, b"25 0\n", 1000)
    assert not checks._looks_whole(b"<html>", b"</html>", 1000)


def test_the_same_photograph_within_and_across_people(tree):
    replace(tree, "AF01AFS.JPG", "AF01ANS.JPG")  # under another emotion of the same person
    replace(tree, "AM02NES.JPG", "AM03NES.JPG")  # under another person
    report = check(tree)
    assert report.repeated == [["AF01/AF01AFS.JPG", "AF01/AF01ANS.JPG"]]
    assert report.shared == [["AM02/AM02NES.JPG", "AM03/AM03NES.JPG"]]
    assert report.faults == []
    text = "\n".join(report.warnings)
    assert "the same photograph under several people: once, for example AM02/AM02NES.JPG and AM03/AM03NES.JPG" in text
    assert "the same photograph again: once, for example AF01/AF01AFS.JPG" in text
    assert "the same photograph under different emotions, once: AF01/AF01AFS.JPG and AF01/AF01ANS.JPG" in text
    replace(tree, "AM02NES.JPG", "AM04NES.JPG")
    replace(tree, "AM02HAS.JPG", "AM04HAS.JPG")
    assert any("5 of 350 photographs are also filed under another person" in fault for fault in check(tree).faults)


def test_files_that_agree_in_size_and_samples_but_not_in_content_are_no_duplicates(tree):
    size = 20_000
    for name, value in (("AF01AFS.JPG", 1), ("AM01AFS.JPG", 2), ("AM02AFS.JPG", 1)):
        content = bytearray(b"\xff\xd8\xff" + bytes(size) + b"\xff\xd9")
        content[5000] = value  # neither at the start, in the middle nor at the end
        (tree / name[:4] / name).write_bytes(content)
    assert check(tree).shared == [["AF01/AF01AFS.JPG", "AM02/AM02AFS.JPG"]]


def test_a_photograph_in_both_parts_of_an_official_split_is_a_warning(tmp_path):
    for name in ("Train/Angry/Juno_1_2.png", "Val/Angry/Juno_1_3.png", "Train/Angry/Juno_1_4.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 100 if "4" in name else 50).save(tmp_path / name)
    report = check_photographs(open_photographs("sfew", "sfew", folder=str(tmp_path)), "sfew")
    both = "Train/Angry/Juno_1_2.png and Val/Angry/Juno_1_3.png"
    assert f"the same photograph in more than one part of the official split, once: {both}" in report.warnings
    assert report.lines()[0] == "SFEW 2.0: 3 (1,394 published) photographs of 1 film"
    assert report.faults[0].startswith("3 photographs; SFEW 2.0 has 1,394, and at least 1,254")


def test_a_manifest_and_rendered_faces_have_nothing_to_compare_with(tmp_path):
    for name in "abc":
        Image.new("L", (8, 8), 7 if name == "c" else 9).save(tmp_path / f"{name}.png")
    (tmp_path / "labels.csv").write_text("path,emotion\na.png,happy\nb.png,happy\nc.png,sad\ngone.png,sad\n")
    report = check_photographs(open_photographs("mine", "manifest", folder=str(tmp_path)), "manifest")
    assert (report.title, report.people, report.emotions) == ("mine", 0, {"happy": 2, "sad": 1})
    assert report.faults == []
    missing, again, nobody = report.warnings
    assert missing == "1 file is missing: gone.png"
    assert again == "the same photograph again: once, so that folds may show it on both sides, for example a.png and b.png"
    assert nobody.startswith("nobody is named") and "people never seen" in nobody
    rendered = check_photographs(open_photographs("rafd-frontal", "rendered", n_faces=16), "rendered")
    assert rendered.photographs == 16
    assert rendered.faults == rendered.warnings == []
    assert "nothing wrong was found" in rendered.lines()


def test_a_long_list_is_cut_in_the_record(tree):
    for number in range(150):
        shutil.copy(tree / "AF01" / "AF01AFS.JPG", tree / f"holiday{number:03d}.jpg")
    content = check(tree).to_dict()
    assert content["unknown"]["n"] == 150
    assert len(content["unknown"]["first"]) == 100


def test_emotions_are_known_and_their_counts_add_up():
    for source, record in CATALOGUE.items():
        assert "" in record.variants
        for variant in record.variants.values():
            assert {*variant.emotions, *variant.present} <= set(EMOTIONS)
            if variant.emotions and source != "ck-plus":
                assert sum(variant.emotions.values()) == variant.photographs
    assert sum(CATALOGUE["ck-plus"].variants["apex"].emotions.values()) == 327


@pytest.mark.parametrize(("change", "word"), [
    ({"title": ""}, "title"), ({"adress": "x"}, "adress"), ({"address": "kdef.se"}, "address"), ({"variants": {"": {"photographs": "many"}}}, "photographs"),
])  # fmt: skip
def test_a_wrong_record_is_refused(change, word):
    with pytest.raises(ValidationError, match=word):
        Collection.model_validate(CATALOGUE["kdef"].model_dump() | change)


def test_a_surplus_or_many_copies_are_faults(tree, monkeypatch):
    def publish(n):
        variants = {"session-a": published(n, 10)}
        monkeypatch.setitem(config.CATALOGUE, "kdef", with_variants("kdef", variants))

    publish(319)  # 350 are not a tenth more
    assert check(tree).faults == [] and "350 photographs; published are 319" in check(tree).warnings
    publish(318)
    assert check(tree).faults == ["350 photographs; KDEF has 318: something lies in the folder twice, or does not belong"]
    publish(350)
    for person, n_copies in (("AF01", 34), ("AF02", 1), ("AF03", 1)):
        first, *others = sorted((tree / person).glob("*.JPG"))
        for path in others[:n_copies]:
            shutil.copy(first, path)
        report = check(tree)
        assert bool(report.faults) == (person == "AF03")
    assert report.faults[0].startswith("36 of 350 photographs are copies of others, for example AF01/AF01AFFL.JPG and ")
    assert not any("the same photograph again" in warning for warning in report.warnings)


def test_what_a_loader_passed_over_is_a_warning(tree, tmp_path):
    report = check(tree)
    assert report.notes == []
    (tree / "AF01" / "AF01AFS.JPG").rename(tree / "AF31V.JPG")
    (warning,) = [warning for warning in check(tree).warnings if "taken for" in warning]
    assert warning.endswith("AF31V.JPG: taken for AF31SAHL.JPG, by the name that is absent there")
    assert check(tree).to_dict()["notes"]["n"] == 1


def test_sets_without_published_counts_of_emotions_still_have_them(tmp_path):
    for source, name in (("sfew", "Train/Angry/Juno_1_2.png"), ("cmu-faces", "an2i/an2i_left_angry_open.pgm")):
        (tmp_path / source / name).parent.mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / source / name)
        faults = check_photographs(open_photographs("mine", source, folder=str(tmp_path / source)), source).faults
        absent = set(config.CATALOGUE[source].variants[""].present) - {"angry"}
        assert f"no photograph is {', '.join(sorted(absent))}" in faults


def test_sequences_of_ck_plus_that_are_not_coded_are_counted(tmp_path, monkeypatch):
    for number in range(1, 11):
        for folder, frame in (("a", 1), ("a", 2)):
            path = tmp_path / folder / f"S005_{number:03d}_{frame:08d}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("L", (8, 8), number * 10 + frame).save(path)
        (tmp_path / f"S005_{number:03d}_00000002_facs.txt").write_text("12 3")
    variants = {"": published(20, 1, coded=10)}
    monkeypatch.setitem(config.CATALOGUE, "ck-plus", with_variants("ck-plus", variants))

    def judge(**options):
        report = check_photographs(open_photographs("ck", "ck-plus", folder=str(tmp_path)), "ck-plus", **options)
        return report.faults, report.warnings

    assert judge() == ([], [])
    for number in range(1, 11):
        (tmp_path / f"S005_{number:03d}_00000002_facs.txt").unlink()
        text = f"{10 - number} photographs are coded for Action Units; published are 10"
        faults, warnings = judge()
        assert (faults, text in warnings) == ([text] if number > 1 else [], number == 1)
        assert sum("no FACS file" in warning for warning in warnings) == min(number, 5)
        assert ("5 more like these" in warnings) == (number == 10)
    assert judge(used=("emotions",))[0] == []


def test_fewer_frames_than_the_paper_used_are_a_warning(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "S005_001_00000001.png")
    (tmp_path / "labels.csv").write_text("sequence,frame,AU12\nS005_001,1,1\n")
    report = check_photographs(open_photographs("ck", "enhanced-ck", folder=str(tmp_path)), "enhanced-ck")
    assert (report.faults, report.warnings) == ([], ["1 photographs; the paper used 8,422"])
