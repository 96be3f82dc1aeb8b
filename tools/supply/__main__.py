"""`make sbom`: writes the bill of materials and the list of licences."""

from __future__ import annotations

from tools.supply.documents import written
from tools.supply.packages import ROOT

for path, text in written().items():
    path.write_text(text)
    print(path.relative_to(ROOT))  # noqa: T201 - that is what it is called for
