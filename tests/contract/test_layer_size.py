"""What was built of the shared layer is small; looks at the last `sam build`, if there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

BUILT = Path(__file__).parents[2] / ".aws-sam" / "build" / "AutoscalerLayer" / "python"
MOST_BYTES = 40 * 10**6  # unpacked, besides botocore, which boto3 was asked to be left out with


def test_the_layer_is_below_its_size_besides_botocore() -> None:
    if not BUILT.exists():
        pytest.skip("nothing is built: make template")
    sizes = {
        path.relative_to(BUILT): path.stat().st_size for path in BUILT.rglob("*") if path.is_file()
    }
    assert (BUILT / "autoscaler").is_dir(), "it is the layer"
    own = sum(size for path, size in sizes.items() if not path.parts[0].startswith("botocore"))
    assert own < MOST_BYTES
