"""The collections that are known (catalogue.yaml): who may have each and how, its folder, what its owners say is in it."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from fergan.facs import EMOTIONS


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Published(_Facts):
    """What a collection, or a variant of it, holds by its owners' account; None or empty where it is not published."""

    photographs: int | None = Field(None, ge=1)
    people: int | None = Field(None, ge=1)
    emotions: dict[str, int] = Field({}, description="photographs per emotion")
    least: int | None = Field(None, ge=1, description="with fewer photographs the set is not what it claims to be")
    present: list[str] = Field([], description="emotions that occur, where how often is not published")
    coded: int | None = Field(None, ge=1, description="photographs whose Action Units a coder gave")

    @field_validator("emotions", "present")
    @classmethod
    def _known(cls, emotions: dict[str, int] | list[str]) -> dict[str, int] | list[str]:
        unknown = sorted(set(emotions) - set(EMOTIONS))
        if unknown:
            raise ValueError(f"unknown emotion {unknown[0]!r}; expected some of {', '.join(EMOTIONS)}")
        return emotions


class Collection(_Facts):
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
    in_paper: int | None = Field(None, description="photographs that the paper used, where the owners publish no number")

    @field_validator("variants")
    @classmethod
    def _has_default(cls, variants: dict[str, Published]) -> dict[str, Published]:
        if "" not in variants:
            raise ValueError("the default variant '' is missing")
        return variants


def _read_catalogue() -> dict[str, Collection]:
    content = yaml.safe_load(Path(__file__).with_name("catalogue.yaml").read_text(encoding="utf-8"))
    return {source: Collection.model_validate(record) for source, record in content.items()}


CATALOGUE = _read_catalogue()
