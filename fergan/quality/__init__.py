"""Sample quality: how near to real faces, how varied and how new samples are; here, the parameters of both judgements."""

from pydantic import Field

from fergan.cache import Config

INCEPTION = "FERGAN_INCEPTION"  # of the environment: where the weights of that network are


class QualityConfig(Config):
    """How good and how varied the samples of a generator are."""

    n_samples: int = Field(1000, ge=200, description="generated faces that are judged, and at most as many real ones")
    seed: int = Field(0, ge=0, description="of samples, halves, draws and folds")
