"""The sink of each place that the alerts' secret may name."""

from __future__ import annotations

from ..alerts.pace import Pace
from ..alerts.routing import Target
from ..alerts.secret import OWN_TOPIC, AlertConfig
from ..alerts.sinks import Sink, SinkRejectedError
from .posts import PostSink
from .slack import API, BotSink, WebhookSink
from .topics import TopicSink


class Sinks:
    """Makes them; `log` takes everything while the secret is not set."""

    def __init__(
        self, secret_id: str, topic_arn: str, log: Sink, pace: Pace, slack_api: str = API
    ) -> None:
        self._secret_id, self._topic_arn, self._log = secret_id, topic_arn, log
        self._pace, self._slack_api = pace, slack_api

    def of(self, target: Target, config: AlertConfig) -> Sink:
        """Raises SinkRejectedError when the secret names nothing that can be used."""
        place = target.place
        if place is None:
            if config.is_unset:
                return self._log
            raise SinkRejectedError(
                f"the secret {self._secret_id!r} names no default that can be used: "
                f"{'; '.join(config.problems) or 'add one as `default`'}"
            )
        if place.webhook:
            return WebhookSink(place.webhook, self._secret_id, self._pace)
        if place.channel:
            token = config.token or ""  # a channel without one is a problem of the secret
            return BotSink(token, place.channel, self._secret_id, self._pace, self._slack_api)
        if place.sns:
            return TopicSink(self._topic_arn if place.sns == OWN_TOPIC else place.sns)
        return PostSink(place.post or "", self._pace)
