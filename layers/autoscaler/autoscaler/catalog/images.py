"""Container images of the serving engines, by Region."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from ..spec import Engine

# AWS's list of image accounts, aws.github.io/deep-learning-containers/reference/
# region_availability/, read 2026-11. The partitions of China and GovCloud have other registries
# and are not supported.
_COMMON = "763104351884"
_COMMON_REGIONS = (
    "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 "
    "eu-central-1 eu-north-1 eu-west-1 eu-west-2 eu-west-3 sa-east-1 "
    "us-east-1 us-east-2 us-west-1 us-west-2"
)
_ACCOUNTS = dict.fromkeys(_COMMON_REGIONS.split(), _COMMON) | {
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-3": "364406365360",
    "ap-south-2": "772153158452",
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-6": "633930458069",
    "ap-southeast-7": "590183813437",
    "ca-west-1": "204538143572",
    "eu-central-2": "380420809688",
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "mx-central-1": "637423239942",
}

# CUDA 13 images die without a log line on an older machine image.
CUDA_13_AMI = "al2023-ami-sagemaker-inference-gpu-4-1"
_CUDA_13 = ("cu13", "cuda13")

# AWS Deep Learning Containers as listed in 2026-09; TGI has been in maintenance since 2025-12-11
# and 3.3.6 is its last.
_TAGS = {
    Engine.VLLM: "vllm:0.27.1-gpu-py312-cu130-ubuntu22.04-sagemaker",
    Engine.LMI: "djl-inference:0.36.0-lmi28.0.0-cu130",
    Engine.SGLANG: "sglang:0.5.17-gpu-py312-cu130-ubuntu24.04-sagemaker",
    Engine.TGI: "huggingface-pytorch-tgi-inference:2.7.0-tgi3.3.6-gpu-py311-cu124-ubuntu22.04",
}


class UnknownRegionError(ValueError):
    """A Region whose image registry we do not know."""


@dataclass(frozen=True)
class Image:
    """An image URI and the machine image that it needs (None: SageMaker's own choice)."""

    uri: str
    ami: str | None


def image(engine: Engine, region: str, override: str | None = None) -> Image:
    """The pinned image of an engine in a Region, or the one that the spec names.

    Raises UnknownRegionError when neither is known.
    """
    uri = override or f"{_account(region)}.dkr.ecr.{region}.amazonaws.com/{_TAGS[engine]}"
    return Image(uri, CUDA_13_AMI if any(mark in uri for mark in _CUDA_13) else None)


def _account(region: str) -> str:
    if region not in _ACCOUNTS:
        close = get_close_matches(region, _ACCOUNTS, n=3)
        hint = f"did you mean {', '.join(close)}? Otherwise " if close else ""
        raise UnknownRegionError(
            f"{region!r} is no Region whose container images we know; {hint}"
            "name one you can pull in serving.image"
        )
    return _ACCOUNTS[region]
