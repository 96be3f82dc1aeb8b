"""What the layers carry of others is pinned, listed, and permissively licensed."""

from __future__ import annotations

import json
import re

import pytest

from tools.supply import packages as supply
from tools.supply.documents import SBOM, written
from tools.supply.packages import LAYERS, UNKNOWN, Package, licence_of, packages

# Weak copyleft of a file's own (MPL) may be in the layer as it is; GPL, AGPL and LGPL may not.
PERMITTED = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0",
     "PSF-2.0", "Unlicense", "CC0-1.0"}
)  # fmt: skip
ALL = [one for layer in LAYERS for one in packages(layer)]


@pytest.mark.parametrize("path", written(), ids=lambda path: path.name)
def test_what_make_sbom_writes_is_up_to_date(path) -> None:
    assert path.read_text() == written()[path], "run `make sbom`"


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_every_licence_in_a_layer_is_known_and_permissive(one: Package) -> None:
    assert one.licence != UNKNOWN
    assert set(re.split(r" (?:AND|OR) ", one.licence)) <= PERMITTED


def test_a_licence_that_says_nothing_usable_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, found in (
        ({"License-Expression": "AGPL-3.0-only"}, UNKNOWN),
        ({"License": "see the file"}, UNKNOWN),
        ({"License-Expression": "MIT AND PSF-2.0"}, "MIT AND PSF-2.0"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        (
            {"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"},
            UNKNOWN,
        ),
    ):
        monkeypatch.setattr(supply, "metadata", lambda _name, said=said: _Said(said))
        assert licence_of("x") == found


class _Said(dict[str, str]):
    def get_all(self, name: str) -> list[str] | None:
        return [self[name]] if name in self else None


def test_a_requirement_without_hashes_is_refused(tmp_path, monkeypatch) -> None:
    (tmp_path / "layers" / "x").mkdir(parents=True)
    (tmp_path / "layers" / "x" / "requirements.txt").write_text("left-pad==1.0\n")
    monkeypatch.setattr(supply, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="left-pad"):
        packages("x")


def test_the_bill_of_materials_names_every_package_once_with_its_hashes() -> None:
    bill = json.loads(SBOM.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    refs = [one["bom-ref"] for one in bill["components"]]
    assert refs == sorted({one.purl for one in ALL})
    assert bill["dependencies"][0]["dependsOn"] == refs
    assert all(one["properties"] for one in bill["components"])


def test_neither_boto3_nor_the_x_ray_sdk_is_in_the_layer() -> None:
    names = {one.name for one in packages("autoscaler")}
    assert "botocore" in names
    assert not names & {"boto3", "s3transfer", "aws-xray-sdk", "wrapt"}
