"""The Lambda layers of others that the template runs, as it names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_NAMED = re.compile(r"""[^\s"',\[\]]+:layer:\w[^\s"',\[\]]*""")
_ARN = re.compile(r"arn:\S+:(\d{12}):layer:([A-Za-z0-9_-]+):(\d+)")


@dataclass(frozen=True)
class Origin:
    """Looked up by hand: a layer has no metadata."""

    title: str
    licence: str
    repository: str


# By account and name, so that another version needs no new entry.
ORIGINS: Mapping[tuple[str, str], Origin] = {
    ("753240598075", "LambdaAdapterLayerArm64"): Origin(
        "AWS Lambda Web Adapter", "Apache-2.0", "https://github.com/aws/aws-lambda-web-adapter"
    ),
}


@dataclass(frozen=True)
class LambdaLayer:
    """`version` counts what its account has published; no version of the software in it."""

    arn: str
    account: str
    name: str
    version: str
    origin: Origin

    @property
    def purl(self) -> str:
        return f"pkg:generic/{self.account}/{self.name}@{self.version}"


def lambda_layers(template: str) -> list[LambdaLayer]:
    """By ARN. ValueError for one without account or version, and for one that nobody looked up."""
    return [_layer(named) for named in sorted(set(_NAMED.findall(template)))]


def _layer(named: str) -> LambdaLayer:
    arn = _ARN.fullmatch(named)
    if arn is None:
        raise ValueError(
            f"template.yaml: {named} is a Lambda layer without a number of its account or of its "
            "version, so that the bill of materials cannot name it"
        )
    account, name, version = arn.groups()
    if (account, name) not in ORIGINS:
        raise ValueError(
            f"template.yaml: {named} is a Lambda layer whose licence nobody has looked up: read "
            "its repository, and write ORIGINS in tools/supply/lambda_layers.py"
        )
    return LambdaLayer(arn[0], account, name, version, ORIGINS[account, name])
