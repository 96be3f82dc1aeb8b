"""A fetched report with the changes that would save most, or why it has none, in all its files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from tools.cli import output
from tools.cli.aws_errors import explained
from tools.cli.client import StackClient

if TYPE_CHECKING:
    from autoscaler.catalog.prices import PriceBook
    from autoscaler.ledger.figures import CostReport


def read_report(paths: Sequence[Path]) -> CostReport:
    """Reads the document among the files; raises pydantic's error if it is none that we know."""
    from autoscaler.ledger.figures import CostReport

    document = next(path for path in paths if path.suffix == ".json")
    return CostReport.model_validate_json(document.read_text(encoding="utf-8"))


def with_advice(client: StackClient, paths: Sequence[Path]) -> tuple[CostReport | None, list[str]]:
    """Puts the advice into the files; returns the report and why an endpoint has none. What cannot
    be read is said in the page and fails nothing. None: the report itself cannot be read."""
    from autoscaler.ledger.advised import noted

    try:
        report = read_report(paths)
    except ValidationError as wrong:
        why = f"{wrong.error_count()} fields are not as expected"
        return None, [f"no advice: this command line cannot read the report of the stack: {why}"]
    try:
        found, missing = _replayed(client, report)
        said = [f"{name}: {why}" for name, why in missing.items()]
    except (BotoCoreError, ClientError) as error:
        found = noted(report, [f"What would save most is not known: {explained(error)}."])
        said = [f"no advice: {explained(error)}"]
    write_advised(found, paths)
    return found, said


def _replayed(client: StackClient, report: CostReport) -> tuple[CostReport, dict[str, str]]:
    from autoscaler.aws.asked import recorded_by
    from autoscaler.ledger.advice import DAYS, advised
    from autoscaler.replay.assumed import Assumed
    from tools.cli.advice import on_all_cores

    assumed = Assumed(prices=prices_of(report, client))
    cloudwatch, now = client.boto("cloudwatch"), client.now()
    recorded_of = recorded_by(cloudwatch, client.stack, now, DAYS)
    with output.errors.status("reading what was asked of the endpoints") as shown:
        return advised(report, recorded_of, assumed, now, on_all_cores, begun=shown.update)


def prices_of(report: CostReport, client: StackClient) -> PriceBook:
    """What the stack reckons with, as its report says; of an older stack the bundled table."""
    from autoscaler.catalog.prices import BUNDLED_REGION, PriceBook, bundled

    region = client.region_or(BUNDLED_REGION)
    known = {e.instance_type: e.usd_per_hour for e in report.endpoints}
    listed = {name: usd for name, usd in known.items() if usd is not None}
    return PriceBook(region, listed, report.written_at) if listed else bundled(region)


def write_advised(report: CostReport, paths: Sequence[Path]) -> None:
    """Puts the report's advice and notes into its files. Table and document keep the stack's own
    figures: the document has six decimals, and what is summed from them may differ in the last."""
    from autoscaler.ledger.html import render_html

    for path in paths:
        if path.suffix == ".html":
            text = render_html(report)
        else:
            own = path.read_bytes().decode()
            text = _table(own, report) if path.suffix == ".csv" else _document(own, report)
        path.write_text(text, encoding="utf-8", newline="")


def _document(own: str, report: CostReport) -> str:
    said = report.model_dump(mode="json", include={"advice", "notes"})
    return json.dumps({**json.loads(own), **said}, indent=2, ensure_ascii=False)


def _table(own: str, report: CostReport) -> str:
    """An older stack's table, which does not say what a row is, is written anew."""
    from autoscaler.ledger.csv import render_csv

    anew = render_csv(report)
    kept, made = (csv.DictReader(io.StringIO(text, newline="")) for text in (own, anew))
    if "row_kind" not in (kept.fieldnames or ()):
        return anew
    rows = [row for row in kept if row["row_kind"] != "advice"]
    at = next((n for n, row in enumerate(rows) if "slot" in row["row_kind"]), len(rows))
    rows[at:at] = [row for row in made if row["row_kind"] == "advice"]
    names = dict.fromkeys([*(made.fieldnames or ()), *(kept.fieldnames or ())])
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
