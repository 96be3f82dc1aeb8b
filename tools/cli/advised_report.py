"""A fetched report with the changes that would save most, or why it has none, in all its files."""

from __future__ import annotations

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
    _write(found, paths)
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


def _write(report: CostReport, paths: Sequence[Path]) -> None:
    from autoscaler.ledger.csv import render_csv
    from autoscaler.ledger.html import render_html

    rendered = {
        ".html": render_html(report),
        ".csv": render_csv(report),
        ".json": report.model_dump_json(indent=2),
    }
    for path in paths:
        path.write_text(rendered[path.suffix], encoding="utf-8", newline="")
