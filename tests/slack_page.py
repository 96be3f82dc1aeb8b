"""The alerts as a page that looks like Slack, for a look at them without a workspace.

    PYTHONPATH=layers/autoscaler:. python -m tests.slack_page FOLDER

Writes one page for each picture of docs/alerts.md; headless Chromium makes the pictures:
`chromium --headless --screenshot=OUT.png --window-size=760,H --hide-scrollbars PAGE.html`, with the
height H that the page has for a title.
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from autoscaler.alerts.console import Console
from autoscaler.alerts.grouping import digest, grouped
from autoscaler.alerts.message import Message, message_of
from autoscaler.alerts.picture import picture
from autoscaler.alerts.slack import payload
from tests.alerts_events import ONE_OF_EACH, report
from tests.alerts_examples import DAY, NIGHT, TROUBLE

CONSOLE = Console("aws", "eu-west-1", "123456789012", "autoscaler")
_STYLE = """
body { margin: 0; padding: 18px 22px; background: #fff; color: #1d1c1d;
       font: 15px/1.46 Lato, "Liberation Sans", "DejaVu Sans", sans-serif; }
.message { display: flex; gap: 10px; margin-bottom: 16px; }
.icon { flex: none; width: 36px; height: 36px; border-radius: 4px; background: #1f7a6d;
        color: #fff; font-weight: 900; text-align: center; line-height: 36px; }
.who { font-weight: 900; } .who span { background: #ddd; color: #616061; font-size: 10px;
        border-radius: 2px; padding: 1px 3px; margin: 0 5px; vertical-align: 2px; }
.who time { color: #616061; font-size: 12px; font-weight: 400; }
.header { font-size: 18px; font-weight: 900; margin: 3px 0 6px; }
.attachment { border-left: 4px solid; border-radius: 2px; padding: 2px 0 2px 12px; }
.section { margin: 4px 0 8px; white-space: pre-wrap; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 16px; margin: 6px 0 8px; }
.fields div { white-space: pre-wrap; }
.context { color: #616061; font-size: 13px; margin: 4px 0; }
a { color: #1264a3; text-decoration: none; }
code { background: #f6f6f6; border: 1px solid #ddd; border-radius: 3px; color: #c01343;
       font: 12px "DejaVu Sans Mono", monospace; padding: 1px 3px; }
pre { background: #f8f8f8; border: 1px solid #ddd; border-radius: 4px; margin: 4px 0;
      padding: 8px; font: 12px/1.5 "DejaVu Sans Mono", monospace; }
img { max-width: 480px; border: 1px solid #ddd; border-radius: 8px; display: block;
      margin-top: 6px; }
"""


def page(messages: Sequence[Message], *, as_bot: bool = False) -> str:
    """A channel with these messages in it."""
    shown = "".join(_message(message, as_bot) for message in messages)
    measure = "<script>document.title = document.documentElement.scrollHeight</script>"
    return f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style>{shown}{measure}'


def _message(message: Message, as_bot: bool) -> str:
    body = payload(message)
    attachment = body["attachments"][0]
    drawn = bool(message.bars) and as_bot
    blocks = [b for b in attachment["blocks"] if not (drawn and b.get("block_id") == "chart")]
    inner = "".join(_block(block) for block in blocks)
    image = _image(message) if drawn else ""
    head = "".join(_block(block) for block in body["blocks"])
    who = '<div class="who">autoscaler<span>APP</span><time>12:00</time></div>'
    icon = '<div class="icon">A</div>'
    frame = f'<div class="attachment" style="border-color: {attachment["color"]}">{inner}</div>'
    return f'<div class="message">{icon}<div>{who}{head}{frame}{image}</div></div>'


def _image(message: Message) -> str:
    if message.bars is None:
        return ""
    data = base64.b64encode(picture(message.bars)).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(message.bars.title)}">'


def _block(block: Mapping[str, Any]) -> str:
    match block["type"]:
        case "header":
            return f'<div class="header">{block["text"]["text"]}</div>'
        case "section":
            text = f'<div class="section">{_mrkdwn(block["text"])}</div>' if "text" in block else ""
            fields = "".join(f"<div>{_mrkdwn(one)}</div>" for one in block.get("fields", ()))
            return text + (f'<div class="fields">{fields}</div>' if fields else "")
        case "context":
            inner = " ".join(_mrkdwn(one) for one in block["elements"])
            return f'<div class="context">{inner}</div>'
    raise ValueError(f"no such block here: {block['type']}")


def _mrkdwn(text: Mapping[str, Any]) -> str:
    """Slack's marks as far as alerts have them. What is escaped stays so."""
    shown = str(text["text"])
    shown = re.sub(r"<([^|>]+)\|([^>]+)>", r'<a href="\1">\2</a>', shown)
    shown = re.sub(r"```\n?(.*?)\n?```", r"<pre>\1</pre>", shown, flags=re.DOTALL)
    shown = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", shown)
    return re.sub(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", r"<b>\1</b>", shown)


def pages() -> dict[str, str]:
    """By the name of their picture."""
    by_name = {event.detail_type: event for event in ONE_OF_EACH}
    every = [message_of(event, CONSOLE) for event in by_name.values() if event.told]
    weekly = message_of(report(), CONSOLE)
    return {
        "slack-day": page([message_of(event, CONSOLE) for event in DAY]),
        "slack-trouble": page([message_of(event, CONSOLE) for event in TROUBLE]),
        "slack-grouped": page([grouped(NIGHT[:30], CONSOLE), digest(NIGHT)]),
        "slack-report": page([weekly], as_bot=True),
        "slack-report-webhook": page([weekly]),
        "all": page(every),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, html in pages().items():
        (folder / f"{name}.html").write_text(html)
