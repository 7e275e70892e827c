"""What a profile says of a face set, and what is known of each collection that it may name (catalogue.yaml)."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, NonNegativeInt, field_validator

from fergan.cache import Config

Source = Literal[
    "rendered", "manifest", "rafd", "kdef", "raf-db", "celeba", "ck-plus", "enhanced-ck", "sfew", "lfw", "genki",
    "cmu-faces", "london"]

#: Where several trainings of one network begin; the first is the seed of training.
Seeds = Annotated[list[NonNegativeInt], Field(min_length=1)]


class FacesConfig(Config):
    """Which photographs are taken, and how their faces are found and cropped."""

    source: Source = Field("rendered", description="the renderer, a collection as its owners ship it, a folder with a CSV")
    variant: str = Field("", description="which part of the collection, for example frontal; empty is its default")
    n_faces: int | None = Field(None, ge=16, description="cut to this many photographs; null takes all")
    seed: int = Field(0, description="of the draw, or of the rendering")
    detector: Literal["viola-jones", "mtcnn", "none"] = Field("mtcnn", description="none: photographs are cropped already")
    min_face_fraction: float = Field(0.2, gt=0, le=1, description="smallest face sought, fraction of the shorter side")
    padding: float = Field(0.0, ge=0, le=1, description="border added for a second look, fraction of the shorter side")
    margin: float = Field(0.1, ge=0, le=1, description="widening of the face box on every side, fraction of its side")
    nominal_box: bool = Field(False, description="crop undetected faces at the median box of their view (fixed cameras)")


class Substitute(Config):
    """What takes the place of a face set whose photographs are not there."""

    name: str = Field(min_length=1, description="what the pages call it, for example CK+")
    source: Source = Field(description="as for the set itself; so are the next four")
    folder: str = ""
    csv: str = "labels.csv"
    variant: str = ""
    n_faces: int | None = Field(None, ge=16)


class SetConfig(FacesConfig):
    """One face set of a profile."""

    folder: str = Field("", description="folder of the photographs, relative to the data folder")
    csv: str = Field("labels.csv", description="the folder's table of labels, where the source reads one")
    optional: bool = Field(False, description="go on without this set where its folder is missing")
    substitute: Substitute | None = Field(None, description="what takes its place where its folder is missing")
    relabel: str | None = Field(None, description="derive Action Units from emotions by this mapping; null keeps coded ones")
    epochs: int | None = Field(None, ge=1, description="passes over this set in training; null takes training's")
    flip_probability: float | None = Field(None, ge=0, le=1, description="share of faces mirrored in training, as epochs")
    seeds: Seeds = Field([], description="as the profile's, for this set's network alone: how stable is its training?")

    @property
    def faces(self) -> FacesConfig:
        """What changes the crops, without where the photographs lie."""
        return FacesConfig(**self.model_dump(include=set(FacesConfig.model_fields)))


class Published(Config):
    """What a collection, or a variant of it, holds by its owners' account; None or empty where it is not published."""

    photographs: int | None = Field(None, ge=1)
    people: int | None = Field(None, ge=1)
    emotions: dict[str, int] = Field({}, description="photographs per emotion")
    least: int | None = Field(None, ge=1, description="with fewer photographs the set is not what it claims to be")
    present: list[str] = Field([], description="emotions that occur, where how often is not published")
    coded: int | None = Field(None, ge=1, description="photographs whose Action Units a coder gave")


class Collection(Config):
    """A collection of photographs."""

    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    access: str = Field(min_length=1, description="who may have it and how to ask")
    address: str = Field(pattern="^https?://")
    licence: str = Field(min_length=1, description="its terms in a few words; the owners' own text holds")
    tree: str = Field(min_length=1, description="the folder as it is expected, one line per file or folder")
    variants: dict[str, Published] = Field(description="what it may be asked for; the empty name is the default")
    traps: list[str] = Field(min_length=1, description="what is known to go wrong")
    citation: str = Field(min_length=1, description="key of the reference in the bibliography")
    reference: str = Field(min_length=1, description="the same in words")
    subjects: str = Field("people", description="what column subject tells apart")
    inside: list[str] = Field([], description="folders in which the archive may have unpacked, the first is taken")
    names: str = Field("", description="regular expression that photographs' paths end with; its named groups become labels")
    example: str = Field("", description="a name that it fits")
    codes: dict[str, dict[str, str]] = Field({}, description="what may stand in a group or table, and what each means")

    @field_validator("codes", mode="before")
    @classmethod
    def _mean_themselves(cls, codes: dict) -> dict:
        return {group: dict(zip(of, of, strict=True)) if isinstance(of, list) else of for group, of in codes.items()}


CATALOGUE = {source: Collection.model_validate(record) for source, record in yaml.safe_load(
    Path(__file__).with_name("catalogue.yaml").read_text(encoding="utf-8")).items()}  # fmt: skip
