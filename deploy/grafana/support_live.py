"""The wall: six tiles, each of them red for a reason somebody can act on within a quarter of an hour."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import (
    RATIO,
    SECONDS,
    Ask,
    above,
    below,
    dashboard,
    of_tenant,
    tenant,
    tile,
)
from deploy.grafana.promql import CALL, TICKET, age, share, total, wilson

HERE = 'tenant=~"$tenant", queue=~"$queue"'
PLACE = "{{tenant}} / {{queue}}"
WORST = "The worst queue, by name."
BY = "tenant, queue"


def support_live() -> Dashboard:
    met = f'support_service_level_met{{{HERE}, definition="strict", window="30m"}}'
    counted = f'support_service_level_base{{{HERE}, definition="strict", window="30m"}}'
    waited = f'support_answered_wait_seconds{{{HERE}, clock="enqueued", window="5m"}}'
    answered = f'support_answered{{{HERE}, window="5m"}}'
    given_up = f'support_offered_abandoned{{{HERE}, window="1h"}}'
    offered = f'support_offered{{{HERE}, window="1h"}}'
    waiting = f"support_oldest_waiting_enqueued_timestamp_seconds{{{HERE}}}"
    size = (8, 9)
    tiles = [
        tile(
            "Age of these numbers",
            Ask(age("max by (topic, partition) (pulse_heartbeat_visible_timestamp_seconds)", ""), ""),
            SECONDS,
            what="Since the oldest of the newest heartbeats on the board was sent, over all partitions. Red: what"
            " this wall shows is not now; see Pipeline health.",
            metric="pulse_heartbeat_visible_timestamp_seconds",
            empty="no board reports",
            steps=above(30, 60),
            size=size,
            decimals=0,
        ),
        tile(
            "Longest wait now",
            Ask(f"topk(1, {age(waiting, BY)})", PLACE),
            SECONDS,
            what=f"{WORST} How long its oldest contact has been waiting. Red: 2 minutes, as the page to the"
            " people on call.",
            metric="oldest_waiting",
            empty="nobody waits",
            steps=above(60, 120),
            size=size,
            decimals=1,
        ),
        tile(
            "Service level, 30 min, at best",
            Ask(f"bottomk(1, {wilson(met, counted, CALL, BY, 'high')})", PLACE),
            RATIO,
            what=f"{WORST} Answered within 20 s of who entered the queue, short abandons apart: the high end of"
            " the 95 % interval, so that few contacts do not cry wolf. Red: under 80 % even at best.",
            metric="service_level/strict",
            empty="nobody came",
            steps=below(0.85, 0.8),
            size=size,
            decimals=0,
        ),
        tile(
            "Speed of answer, 5 min",
            Ask(f"topk(1, {share(waited, answered, CALL, BY)})", PLACE),
            SECONDS,
            what=f"{WORST} Mean wait of who was answered by a human; who still waits is not in it. Red: a minute.",
            metric="asa_queue/enqueued",
            empty="nobody answered",
            steps=above(30, 60),
            size=size,
            decimals=0,
        ),
        tile(
            "Abandoned, 1 h, at least",
            Ask(f"topk(1, {wilson(given_up, offered, CALL, BY, 'low')})", PLACE),
            RATIO,
            what=f"{WORST} Gave up after more than 5 s, of who entered the queue: the low end of the 95 %"
            " interval. Red: surely 10 % or more.",
            metric="abandon_rate",
            empty="nobody came",
            steps=above(0.05, 0.1),
            size=size,
            decimals=1,
        ),
        tile(
            "Tickets without a first response",
            Ask(total('support_frt_overdue{tenant=~"$tenant"}', TICKET, ""), ""),
            "short",
            what="Open tickets that no human has answered within the declared target. Red: five of them.",
            metric="frt_overdue",
            empty="tickets are not counted",
            steps=above(1, 5),
            size=size,
            decimals=0,
        ),
    ]
    return dashboard(
        "support-live",
        "Support live",
        "For a wall in the room of who answers. Nothing here that cannot be acted on within 15 minutes.",
        variables=[tenant("support_answered"), of_tenant("queue", "support_answered")],
        groups=[("", tiles)],
        refresh="5s",
        since="now-5m",
    )
