"""What each dataset is, who may have it and how, what its folder looks like, and what its owners say is in it.

This is data: the loaders' errors, `fergan.data.verification` and the book print it. A count stands here only where its
owners publish it or where it follows from the set's design; what is not known is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fergan.facs import EMOTIONS

__all__ = ["CATALOGUE", "DatasetRecord", "Published"]


@dataclass(frozen=True)
class Published:
    """What a dataset, or a variant of it, holds by its owners' account.

    Attributes
    ----------
    photographs, people : int or None
        How many; None where it is not published.
    emotions : mapping of str to int
        Photographs per emotion; empty where it is not published.
    least : int or None
        With fewer photographs the set is not what it claims to be; without it, nine tenths of `photographs`.
    present : tuple of str
        Emotions that occur, where how often is not published.
    coded : int or None
        Photographs whose Action Units a coder gave.
    """

    photographs: int | None = None
    people: int | None = None
    emotions: Mapping[str, int] = field(default_factory=dict)
    least: int | None = None
    present: tuple[str, ...] = ()
    coded: int | None = None


@dataclass(frozen=True)
class DatasetRecord:
    """A dataset.

    Attributes
    ----------
    title, description : str
        Its name, and what it is.
    access, address : str
        Who may have it and how to ask, and where.
    licence : str
        Its terms in a few words; the owners' own text holds.
    tree : str
        The folder as it is expected, one line per file or folder.
    variants : mapping of str to Published
        What `fergan.data.open_photographs` may be asked for; ``""`` is the default.
    traps : tuple of str
        What is known to go wrong.
    citation : str
        Key of the reference in the bibliography.
    reference : str
        The same in words.
    subjects : str
        What column ``subject`` tells apart.
    in_paper : int or None
        Photographs that the paper used, where the owners publish no number.
    """

    title: str
    description: str
    access: str
    address: str
    licence: str
    tree: str
    variants: Mapping[str, Published]
    traps: tuple[str, ...]
    citation: str
    reference: str
    subjects: str = "people"
    in_paper: int | None = None


def _each(n: int, *absent: str) -> dict[str, int]:
    return {emotion: n for emotion in EMOTIONS if emotion not in absent}


_RAF_DB = Published(15339, None, {  # train and test of the basic set together
    "angry": 867, "disgusted": 877, "fearful": 355, "happy": 5957, "neutral": 3204, "sad": 2460, "surprised": 1619,
})  # fmt: skip
_CELEBA = Published(202599, 10177, least=30000)  # the paper used 30,000, and others cut it further
_CK_APEX = {
    "angry": 45, "contemptuous": 18, "disgusted": 59, "fearful": 25, "happy": 69, "sad": 28, "surprised": 83,
}  # fmt: skip

_SFEW = ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
_CMU_FACES = Published(624, 20, present=("angry", "happy", "neutral", "sad"))

CATALOGUE: dict[str, DatasetRecord] = {
    "rafd": DatasetRecord(
        title="RaFD",
        description="The Radboud Faces Database: 67 models pose eight emotions with three directions of gaze before five "
        "cameras at once, coached by a FACS coder.",
        access="Researchers at an accredited university, each for themselves, by a form; students through a supervisor.",
        address="https://rafd.socsci.ru.nl",
        licence="Free for scientific research only; not to be passed on.",
        tree="rafd/\n"
        "  Rafd090_01_Caucasian_female_angry_frontal.jpg    camera, model, group, sex, emotion, gaze\n"
        "  ...                                              cameras 000 045 090 135 180; gaze frontal, left, right",
        variants={
            "": Published(8040, 67, _each(1005)),
            "frontal": Published(1608, 67, _each(201)),
            "multiview": Published(2680, 67, _each(335)),
        },
        traps=(
            "It has no Action Unit labels: the paper derives them from the emotion, so that Action Units which the same "
            "emotions show get the same labels.",
            "The three gazes of one expression are nearly the same picture: random folds put the same face on both sides.",
            "Ten of the models are children (group Kid).",
            "Detectors lose faces at 0 and 180 degrees.",
        ),
        citation="langner2010",
        reference="Langner et al., Presentation and validation of the Radboud Faces Database, Cognition and Emotion, 2010",
    ),
    "kdef": DatasetRecord(
        title="KDEF",
        description="The Karolinska Directed Emotional Faces: 70 amateur actors pose seven emotions in two sessions, each "
        "seen from five angles.",
        access="Researchers, by registering on the site.",
        address="https://kdef.se",
        licence="Non-commercial research only; not to be passed on in any form without written consent.",
        tree="kdef/                 or KDEF_and_AKDEF/KDEF/ in it\n"
        "  AF01/               session A or B, F or M, person 01 to 35\n"
        "    AF01AFFL.JPG      then expression AF AN DI HA NE SA SU and angle FL HL S HR FR\n"
        "    AF01AFS.JPG\n"
        "    ...\n"
        "  BM35/",
        variants={
            "": Published(4900, 70, _each(700, "contemptuous")),
            "session-a": Published(2450, 70, _each(350, "contemptuous")),
            "session-b": Published(2450, 70, _each(350, "contemptuous")),
        },
        traps=(
            "Two files have cut names: AF31V.JPG and AM31H.JPG; they are taken for the only names that are absent in their "
            "folders, AF31SAHL.JPG and AM31SUHR.JPG. For AM31 the letter that is left agrees; for AF31 it says nothing, so "
            "that its label rests on elimination alone.",
            "Some pictures are plain black; users of the set report four to ten, among them AF10AFFR, AF11NEHL and "
            "BM24DIFL. A picture of one flat colour counts as unreadable.",
            "AF01 and BF01 are one person in two sessions, so that folds must keep them together.",
            "AKDEF, shipped beside it, holds averages of all these people and is not read.",
        ),
        citation="lundqvist1998",
        reference="Lundqvist, Flykt and Öhman, The Karolinska Directed Emotional Faces, Karolinska Institutet, 1998",
    ),
    "raf-db": DatasetRecord(
        title="RAF-DB",
        description="The Real-world Affective Faces Database, basic set: photographs from the web, each with one of seven "
        "emotions by about forty raters, and an official split.",
        access="Researchers, by an e-mail from their institution's address that names the purpose.",
        address="http://www.whdeng.cn/RAF/model1.html",
        licence="Non-commercial research only; not to be passed on.",
        tree="raf-db/               or basic/ in it\n"
        "  EmoLabel/\n"
        "    list_patition_label.txt       lines such as: train_00001.jpg 5 (the name is spelt so)\n"
        "  Image/\n"
        "    original/train_00001.jpg      variant original\n"
        "    aligned/train_00001_aligned.jpg   variant aligned, 100 x 100 pixels",
        variants={"": _RAF_DB, "original": _RAF_DB, "aligned": _RAF_DB},
        traps=(
            "The paper's 29,672 is the whole database; the set with one emotion each is 15,339 (12,271 train, 3,068 test).",
            "Original and aligned photographs come as archives inside the archive and must be unpacked too.",
            "Nobody is named: folds cannot keep people apart.",
            "Some photographs show several people; the label is of one.",
        ),
        citation="li2017",
        reference="Li, Deng and Du, Reliable crowdsourcing and deep locality-preserving learning, CVPR 2017",
    ),
    "celeba": DatasetRecord(
        title="CelebA",
        description="CelebFaces Attributes: photographs of celebrities from the web with forty attributes, identities and "
        "an official split.",
        access="Anyone, by download; identities by a separate file.",
        address="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        licence="Non-commercial research only; the photographs are not the owners' and may not be passed on.",
        tree="celeba/               in any folders, as the archives unpack\n"
        "  img_align_celeba/000001.jpg     variant aligned, 178 x 218 pixels\n"
        "  img_celeba/000001.jpg           variant in-the-wild\n"
        "  list_attr_celeba.txt            attributes; Smiling becomes AU12\n"
        "  identity_CelebA.txt             people\n"
        "  list_eval_partition.txt         train, val, test",
        variants={"": _CELEBA, "aligned": _CELEBA, "in-the-wild": _CELEBA},
        traps=(
            "The paper used 30,000 photographs and does not say which: here they are drawn with a seed.",
            "Aligned photographs are still wider than a face: they are cropped like the others.",
            "The tables that some mirrors ship as CSV are not the owners'; take the text files.",
        ),
        citation="liu2015",
        reference="Liu, Luo, Wang and Tang, Deep learning face attributes in the wild, ICCV 2015",
    ),
    "ck-plus": DatasetRecord(
        title="CK+",
        description="The extended Cohn-Kanade set: sequences from the neutral face to the apex of a posed expression, the "
        "apex coded by FACS, 327 of them with a validated emotion.",
        access="Researchers, by a signed agreement.",
        address="https://www.jeffcohn.net/resources/",
        licence="Non-commercial research only; only some people agreed to be shown in print.",
        tree="ck-plus/              in any folders, as the archives unpack\n"
        "  cohn-kanade-images/S005/001/S005_001_00000001.png     first frame: neutral\n"
        "  cohn-kanade-images/S005/001/S005_001_00000011.png     last frame: apex\n"
        "  Emotion/S005/001/S005_001_00000011_emotion.txt        0 to 7; 327 sequences have one\n"
        "  FACS/S005/001/S005_001_00000011_facs.txt              lines of an Action Unit and its intensity, 0 to 5",
        variants={
            "": Published(1186, 123, {"neutral": 593} | _CK_APEX, coded=593),
            "apex": Published(593, 123, _CK_APEX, coded=593),
        },
        traps=(
            "Intensity 0 in a FACS file means present, intensity not coded.",
            "Only the apex was coded; that the first frame is neutral is the design, and not always so.",
            "The posed frames are nearly all grey.",
        ),
        citation="lucey2010",
        reference="Lucey et al., The extended Cohn-Kanade dataset (CK+), CVPR Workshops 2010",
    ),
    "enhanced-ck": DatasetRecord(
        title="Enhanced CK",
        description="The RPI ISL enhanced Cohn-Kanade codes: the photographs of Cohn-Kanade, coded frame by frame for "
        "fourteen Action Units.",
        access="By request to the Intelligent Systems Lab at Rensselaer; the photographs come with Cohn-Kanade or CK+.",
        address="https://www.ecse.rpi.edu/~cvrl/database/ISL_Enhanced_CohnKanade.htm",
        licence="As for Cohn-Kanade.",
        tree="enhanced-ck/\n"
        "  cohn-kanade-images/S005/001/S005_001_00000011.png\n"
        "  labels.csv          the codes, in a table that you make; for example\n"
        "                        sequence,frame,AU01,AU02,AU12\n"
        "                        S005_001,1,0,0,0\n"
        "                        S005_001,11,,1,D     0, 1, grade A to E, or blank where nobody looked",
        variants={"": Published()},
        traps=(
            "How the codes are shipped is not documented in public: you make the table above from them, as UTF-8 with "
            "commas. Without it the set counts as missing.",
            "Neighbouring frames are nearly the same picture: random folds put the same face on both sides.",
            "The paper reports 8,422 frames.",
            "Emotions are not coded.",
        ),
        citation="tong2007",
        reference="Tong, Liao and Ji, Facial action unit recognition by exploiting their dynamic and semantic "
        "relationships, IEEE Transactions on Pattern Analysis and Machine Intelligence 29, 2007",
        in_paper=8422,
    ),
    "sfew": DatasetRecord(
        title="SFEW 2.0",
        description="Static Facial Expressions in the Wild: frames of films with seven emotions, split so that people do "
        "not recur.",
        access="Researchers, by a signed agreement.",
        address="https://cs.anu.edu.au/few/AFEW.html",
        licence="Non-commercial research only.",
        tree="sfew/\n"
        "  Train/Angry/Airheads_000519240_00000005.png\n"
        "  Train/Disgust/  Fear/  Happy/  Neutral/  Sad/  Surprise/\n"
        "  Val/Angry/ ...\n"
        "  Test/                                            without labels; variant test only\n"
        "  Train_Aligned_Faces/Angry/ ...                   variants aligned, aligned-train and so on",
        variants={
            "": Published(958 + 436, present=_SFEW), "train": Published(958, present=_SFEW),
            "val": Published(436, present=_SFEW), "test": Published(372),
            "aligned": Published(present=_SFEW), "aligned-train": Published(present=_SFEW),
            "aligned-val": Published(present=_SFEW), "aligned-test": Published(),
        },
        traps=(
            "The labels of Test were kept by the organisers of the challenge, so that the default is Train and Val.",
            "The archive of aligned faces holds the same faces again, and fewer, since some were not found. Where it lies "
            "beside the frames, the frames are read; where it is alone, it is.",
            "Actors are not named; the film stands for the person in grouped folds.",
            "The paper reports 1,260 photographs, apparently of Train and Val together.",
        ),
        citation="dhall2011",
        reference="Dhall, Goecke, Lucey and Gedeon, Static facial expression analysis in tough conditions, ICCV Workshops "
        "2011; SFEW 2.0: Dhall et al., Video and image based emotion recognition challenges in the wild, ICMI 2015",
        subjects="films",
    ),
    "lfw": DatasetRecord(
        title="LFW",
        description="Labeled Faces in the Wild: photographs of people in the news, without expressions.",
        access="Anyone: python -m fergan.data.fetch lfw FOLDER, which uses scikit-learn's fetcher "
        "(<https://scikit-learn.org/stable/modules/generated/sklearn.datasets.fetch_lfw_people.html>) and works where the "
        "owners' page does not answer.",
        address="http://vis-www.cs.umass.edu/lfw/",
        licence="No licence is stated; made for research.",
        tree="lfw/                  or lfw_funneled/ or lfw_home/lfw_funneled/ in it\n"
        "  George_W_Bush/\n"
        "    George_W_Bush_0001.jpg        250 x 250 pixels\n"
        "  ...",
        variants={"": Published(13233, 5749)},
        traps=(
            "Most people have one photograph, one has 530.",
            "Some photographs are filed under the wrong person or twice; the owners list such errors.",
        ),
        citation="huang2007",
        reference="Huang, Ramesh, Berg and Learned-Miller, Labeled Faces in the Wild, technical report 07-49, University of "
        "Massachusetts, 2007",
    ),
    "olivetti": DatasetRecord(
        title="Olivetti",
        description="The Olivetti (AT&T, ORL) faces: forty people, ten grey photographs each, 64 x 64 pixels.",
        access="Anyone: python -m fergan.data.fetch olivetti FOLDER, which uses scikit-learn's fetcher.",
        address="https://scikit-learn.org/stable/modules/generated/sklearn.datasets.fetch_olivetti_faces.html",
        licence="No licence is stated; credit to AT&T Laboratories Cambridge is asked for.",
        tree="olivetti/\n"
        "  olivetti_faces.npy              written by the fetcher: uint8 (400, 64, 64), ten rows per person\n"
        "  olivettifaces.mat               or the file that it is made from",
        variants={"": Published(400, 40)},
        traps=("It has no labels of expressions.", "The photographs are no larger than the crops of this project."),
        citation="samaria1994",
        reference="Samaria and Harter, Parameterisation of a stochastic model for human face identification, WACV 1994",
    ),
    "genki": DatasetRecord(
        title="GENKI-4K",
        description="Photographs from the web with a smile or none by human coders, and the pose of the head.",
        access="Anyone, by download.",
        address="https://inc.ucsd.edu/mplab/398/",
        licence="Available for public use; acknowledgement asked for.",
        tree="genki/                or genki4k/ in it\n"
        "  files/file0001.jpg ... file4000.jpg\n"
        "  labels.txt                      line n is of file n: smile (1 or 0), yaw, pitch, roll in radians",
        variants={"": Published(4000)},
        traps=(
            "Some photographs are in it more than once.",
            "Nobody is named: folds cannot keep people apart.",
            "A smile is AU12; nothing else is coded.",
        ),
        citation="whitehill2009",
        reference="http://mplab.ucsd.edu, The MPLab GENKI Database, GENKI-4K subset; Whitehill et al., Toward practical "
        "smile detection, IEEE Transactions on Pattern Analysis and Machine Intelligence 31, 2009",
    ),
    "cmu-faces": DatasetRecord(
        title="CMU Faces",
        description="Twenty people with four poses of the head, four expressions, with and without sunglasses; small "
        "and grey.",
        access="Anyone, by download.",
        address="https://archive.ics.uci.edu/dataset/124/cmu+face+images",
        licence="Free for any educational purpose with attribution.",
        tree="cmu-faces/            or faces/ in it\n"
        "  an2i/\n"
        "    an2i_left_angry_open.pgm      person, pose, expression, eyes: 128 x 120 pixels\n"
        "    an2i_left_angry_open_2.pgm    variant half\n"
        "    an2i_left_angry_open_4.pgm    variant quarter\n"
        "  ...",
        variants={"": _CMU_FACES, "half": _CMU_FACES, "quarter": _CMU_FACES},
        traps=(
            "Sixteen of the 640 photographs are damaged and end in .bad; they are not read.",
            "Emotions are weakly acted, and half of the faces wear sunglasses.",
        ),
        citation="mitchell1997",
        reference="Mitchell, CMU Face Images, UCI Machine Learning Repository, 1999",
    ),
    "london": DatasetRecord(
        title="London Set",
        description="The Face Research Lab London Set: 102 people from the front, neutral and smiling, in even light.",
        access="Anyone, by download.",
        address="https://doi.org/10.6084/m9.figshare.5047666",
        licence="CC BY 4.0.",
        tree="london/\n"
        "  neutral_front/001_03.jpg        1350 x 1350 pixels\n"
        "  smiling_front/001_08.jpg\n"
        "  london_faces_info.csv           face_id, face_age, face_gender, face_eth",
        variants={"": Published(204, 102)},
        traps=(
            "Smiles are posed, and some are subtle; only AU12 is labelled.",
            "Numbers run beyond 102, since not everybody photographed is in the set.",
        ),
        citation="debruine2017",
        reference="DeBruine and Jones, Face Research Lab London Set, figshare, 2017",
    ),
}
