"""Container images of the serving engines, by Region. Tags as seen on 2026-09 (AWS's DLC list)."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec import Engine

_ACCOUNT = "763104351884"
_OTHER_ACCOUNTS = {
    "eu-south-1": "692866216735",
    "ap-east-1": "871362719292",
    "me-central-1": "914824155844",
}
# CUDA 13 images die without a log line on an older machine image.
CUDA_13_AMI = "al2023-ami-sagemaker-inference-gpu-4-1"
_TAGS = {
    Engine.VLLM: "vllm:0.27.1-gpu-py312-cu130-ubuntu22.04-sagemaker",
    Engine.LMI: "djl-inference:0.36.0-lmi28.0.0-cu130",
    Engine.TGI: "huggingface-pytorch-tgi-inference:2.7.0-tgi3.3.6-gpu-py311-cu124-ubuntu22.04",
}


@dataclass(frozen=True)
class Image:
    """An image URI and the machine image that it needs (None: any)."""

    uri: str
    ami: str | None


def image(engine: Engine, region: str, override: str | None = None) -> Image:
    """The pinned image of an engine in a Region, or the one that the spec names."""
    tag = _TAGS[engine]
    account = _OTHER_ACCOUNTS.get(region, _ACCOUNT)
    uri = override or f"{account}.dkr.ecr.{region}.amazonaws.com/{tag}"
    return Image(uri, CUDA_13_AMI if "cu13" in uri else None)
