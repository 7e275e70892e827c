"""What a profile says of a face set: where its photographs come from, and how its faces are found and cropped."""

from typing import Literal

from pydantic import Field, model_validator

from fergan.cache import Config

#: Where photographs can come from; see `fergan.data.collections`.
Source = Literal[
    "rendered", "manifest", "rafd", "kdef", "raf-db", "celeba", "ck-plus", "enhanced-ck", "sfew", "lfw", "genki",
    "cmu-faces", "london",
]


class FacesConfig(Config):
    """Which photographs are taken, and how their faces are found and cropped."""

    source: Source = Field("rendered", description="the renderer, a collection as its owners ship it, a folder with a CSV")
    variant: str = Field("", description="which part of the collection, for example frontal; empty is its default")
    n_faces: int | None = Field(None, ge=16, description="cut to this many photographs; null takes all")
    seed: int = Field(0, description="of the draw, or of the rendering")
    detector: Literal["viola-jones", "mtcnn"] = Field("mtcnn", description="face detector")
    min_face_fraction: float = Field(0.2, gt=0, le=1, description="smallest face sought, fraction of the shorter side")
    cascades: Literal["frontal", "frontal+profile"] = Field("frontal", description="what viola-jones looks for")
    margin: float = Field(0.1, ge=0, le=1, description="widening of the face box on every side, fraction of its side")
    nominal_box: bool = Field(False, description="crop undetected faces at the median box of their view (fixed cameras)")

    @model_validator(mode="after")
    def _cascades_have_a_detector(self) -> "FacesConfig":
        if self.cascades != "frontal" and self.detector != "viola-jones":
            raise ValueError(f"cascades is {self.cascades!r}, but detector {self.detector} has none; take viola-jones")
        return self


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

    @property
    def faces(self) -> FacesConfig:
        """What changes the crops, without where the photographs lie."""
        return FacesConfig(**self.model_dump(include=set(FacesConfig.model_fields)))
