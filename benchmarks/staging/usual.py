"""What people do today: download the snapshot, then upload each file."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from huggingface_hub import snapshot_download

from benchmarks.staging.hub import MODEL


def main() -> None:
    """`usual FOLDER`: boto3 as it comes, with the checksum it sends by itself; only not signed,
    since over https it would not hash the body for the signature either."""
    began = time.perf_counter()
    folder = Path(snapshot_download(MODEL, local_dir=sys.argv[1]))
    s3 = boto3.client("s3", config=Config(signature_version=UNSIGNED))
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        s3.upload_file(str(path), "bench", f"usual/{path.name}")
    print(json.dumps({"seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
