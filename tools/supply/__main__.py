"""`make sbom`: writes the bill of materials and the list of licences, or says why it does not."""

from __future__ import annotations

import sys

from tools.supply.documents import written
from tools.supply.packages import ROOT

try:
    files = written()
except ValueError as error:
    sys.exit(str(error))
for path, text in files.items():
    path.write_text(text)
    print(path.relative_to(ROOT))  # noqa: T201 - that is what it is called for
