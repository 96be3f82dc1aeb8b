"""What the layers carry of others is pinned, listed, and permissively licensed."""

from __future__ import annotations

import json
import re
import runpy
from importlib import metadata

import pytest

from tools.embedded.kernel.stack import load
from tools.permissions.grants import EVERYTHING
from tools.supply import packages as supply
from tools.supply.documents import LICENCES, SBOM, written
from tools.supply.exceptions import CHECKED
from tools.supply.lambda_layers import TEMPLATE
from tools.supply.licences import PERMITTED, permitted
from tools.supply.packages import LAYERS, Package, packages

ALL = [one for layer in LAYERS for one in packages(layer)]


@pytest.mark.parametrize("path", [SBOM, LICENCES], ids=lambda path: path.name)
def test_what_make_sbom_writes_is_up_to_date(path) -> None:
    assert path.read_text() == written()[path], "run `make sbom`"


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_every_licence_in_a_layer_is_known_and_permissive(one: Package) -> None:
    assert permitted(one.licence) or one.name in CHECKED


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_what_is_tested_is_what_is_shipped(one: Package) -> None:
    """Where its licence is read, too. `make lock` compiles the layers within the tests' pins."""
    assert metadata.version(one.name) == one.version


def test_no_copyleft_is_permitted_but_of_a_file_alone() -> None:
    assert not [one for one in PERMITTED if re.search("GPL|SSPL|EUPL|CDDL|OSL|SA-", one)]
    assert [one for one in PERMITTED if "MPL" in one] == ["MPL-2.0"]


def test_a_requirement_without_hashes_is_refused(tmp_path, monkeypatch) -> None:
    (tmp_path / "layers" / "x").mkdir(parents=True)
    (tmp_path / "layers" / "x" / "requirements.txt").write_text("left-pad==1.0\n")
    monkeypatch.setattr(supply, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="left-pad"):
        packages("x")


def test_make_sbom_says_what_it_refuses_and_writes_nothing(monkeypatch) -> None:
    monkeypatch.setattr(supply, "CHECKED", {})
    before = [path.read_text() for path in (SBOM, LICENCES)]
    with pytest.raises(SystemExit, match=r"^python-dateutil: .*'Dual License'"):
        runpy.run_module("tools.supply", run_name="__main__")
    assert [path.read_text() for path in (SBOM, LICENCES)] == before


def test_the_bill_of_materials_names_every_package_once_with_its_hashes() -> None:
    bill = json.loads(SBOM.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    refs = [one["bom-ref"] for one in bill["components"]]
    assert [one for one in refs if one.startswith("pkg:pypi/")] == sorted({one.purl for one in ALL})
    assert bill["dependencies"][0]["dependsOn"] == refs
    assert all(one["properties"] for one in bill["components"])


def test_every_lambda_layer_of_the_template_is_its_own_or_in_the_bill_of_materials() -> None:
    template = load(TEMPLATE, EVERYTHING)
    named = {
        one["value"]
        for component in json.loads(SBOM.read_text())["components"]
        for one in component["properties"]
        if one["name"] == "lambda:layer:arn"
    }
    own = {
        logical
        for logical, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::LayerVersion"
    }
    run = {
        layer
        for resource in template["Resources"].values()
        for one in resource.get("Properties", {}).get("Layers", ())
        for layer in choices(one)
    }
    assert len(own & run) == 2
    assert run - own - {"WebAdapterLayerArn"} == named, "run `make sbom`"


def choices(layer) -> list[str]:
    """A layer as an item of `Layers` writes it; of a condition both sides."""
    match layer:
        case {"Fn::If": [_, taken, other]}:
            return choices(taken) + choices(other)
        case {"Ref": name} | {"Fn::Sub": str(name)} | str(name):
            return [name]
    raise AssertionError(f"a layer that no bill of materials can name: {layer}")


def test_neither_boto3_nor_the_x_ray_sdk_is_in_the_layer() -> None:
    names = {one.name for one in packages("autoscaler")}
    assert "botocore" in names
    assert not names & {"boto3", "s3transfer", "aws-xray-sdk", "wrapt"}
