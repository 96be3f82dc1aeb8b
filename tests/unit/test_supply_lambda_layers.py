"""A Lambda layer of others is listed as the template names it, or refused."""

from __future__ import annotations

import pytest

from tools.supply.lambda_layers import ORIGINS, lambda_layers
from tools.supply.licences import permitted

ADAPTER = "arn:${AWS::Partition}:lambda:${AWS::Region}:753240598075:layer:LambdaAdapterLayerArm64"


@pytest.mark.parametrize(
    "template",
    [
        f"- !Sub {ADAPTER}:31",
        f"- !Sub '{ADAPTER}:31'",
        f'Layers: [!Ref Own, !Sub "{ADAPTER}:31"]',
        f"Layers: [!Sub {ADAPTER}:31, !Ref Own]",
        f"- !Sub {ADAPTER}:31\n- !Sub {ADAPTER}:31 # again",
    ],
)
def test_name_and_version_are_the_template_s(template: str) -> None:
    (one,) = lambda_layers(template)
    assert one.arn == f"{ADAPTER}:31"
    assert one.purl == "pkg:generic/753240598075/LambdaAdapterLayerArm64@31"
    assert (one.name, one.version) == ("LambdaAdapterLayerArm64", "31")


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (f"- !Sub {ADAPTER}", "without a number of its account or of its version"),
        (f"- !Sub {ADAPTER}:${{Version}}", "without a number"),
        (f"- !Sub {ADAPTER}:3${{Minor}}", "without a number"),
        ("- !Sub arn:aws:lambda:${AWS::Region}:${Theirs}:layer:Insights:5", "without a number"),
        ("- arn:aws:lambda:eu-west-1:580247275435:layer:Insights:5", "nobody has looked up"),
        ("- arn:aws:lambda:eu-west-1:753240598075:layer:Other:27", "ORIGINS"),
        (f"- {ADAPTER}:27\n- arn:aws:lambda:eu-west-1:123456789012:layer:X:1", ":layer:X:1"),
    ],
)
def test_what_cannot_be_listed_is_refused(template: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        lambda_layers(template)


def test_a_pattern_of_arns_is_no_layer() -> None:
    assert lambda_layers("AllowedPattern: ^arn:aws:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$") == []


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=lambda one: one.title)
def test_the_licence_of_a_lambda_layer_is_permitted(origin) -> None:
    assert permitted(origin.licence)
