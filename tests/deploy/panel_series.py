"""Series of two processes each, written down for the panels that test_panel_promql.py works by hand."""

AT, IDLE = 300, 600
"""When all is asked; and when nothing has happened for minutes."""


def always(value: float) -> str:
    return f"{value}+0x40"


def rising(by: float) -> str:
    """A counter, each 15 s: by `by` until 240 s, then by 4, 4, 8 and 8 times as much, then no more.

    In the minute before 300 s it rises by 24 `by`: 0.4 `by` a second.
    """
    steps = [16 * by + each * by for each in (4, 8, 16, 24)]
    return " ".join([f"0+{by}x16", *(str(each) for each in steps), f"{steps[-1]}+0x20"])


def sudden(by: float) -> str:
    """As much in the minute before 300 s, all of it in its first half, and nothing before it."""
    return f"0+0x16 {12 * by} {24 * by}+0x22"


SERIES = {
    # Newest per partition: 270, 250, 280, 290.
    **{
        f'pulse_heartbeat_{seen}_timestamp_seconds{{topic="{topic}",partition="{partition}",instance="{board}"}}': always(at - behind)
        for seen, behind in (("visible", 0), ("queryable", 100))
        for topic, partition, board, at in (
            ("pulse.call", 0, "a", 260), ("pulse.call", 0, "b", 270), ("pulse.call", 1, "a", 250), ("pulse.call", 1, "b", 240),
            ("pulse.ticket", 0, "a", 280), ("pulse.ticket", 1, "a", 290),
        )
    },
    'up{job="pulse",instance="a"}': always(1),
    'up{job="pulse",instance="b"}': always(1),
    'up{job="pulse",instance="c"}': always(0),
    'up{job="other",instance="d"}': always(1),
    'pulse_consumer_lag_messages{topic="pulse.call",partition="0",instance="a"}': always(5),
    'pulse_consumer_lag_messages{topic="pulse.call",partition="0",instance="b"}': always(7),
    'pulse_consumer_lag_messages{topic="pulse.call",partition="1",instance="a"}': always(3),
    'pulse_consumer_lag_messages{topic="pulse.ticket",partition="0",instance="a"}': always(10),
    'pulse_consumer_lag_messages{topic="pulse.ticket",partition="1",instance="a"}': always(4),
    'pulse_partition_open{topic="pulse.call",partition="0",instance="w1"}': always(1),
    'pulse_partition_open{topic="pulse.call",partition="0",instance="w2"}': always(0),
    'pulse_partition_open{topic="pulse.call",partition="1",instance="w1"}': always(0),
    'pulse_partition_open{topic="pulse.ticket",partition="0",instance="w2"}': always(1),
    'pulse_partition_open{topic="pulse.ticket",partition="1",instance="w2"}': always(1),
    # Newest: call 280 and 250, ticket 290 and 295.
    **{
        f'pulse_{name}_timestamp_seconds{{stream="{stream}",partition="{partition}",instance="{board}"}}': always(at)
        for name in ("state_log_append", "watermark")
        for stream, partition, board, at in (
            ("call", 0, "a", 270), ("call", 0, "b", 280), ("call", 1, "a", 250), ("call", 1, "b", 240),
            ("ticket", 0, "a", 290), ("ticket", 1, "a", 295),
        )
    },
    'pulse_events_consumed_total{stream="call",instance="w1"}': rising(10),
    'pulse_events_consumed_total{stream="call",instance="w2"}': rising(20),
    'pulse_events_consumed_total{stream="ticket",instance="w1"}': rising(5),
    'pulse_events_processed_total{outcome="applied",stream="call"}': rising(10),
    'pulse_events_processed_total{outcome="applied",stream="ticket"}': rising(15),
    'pulse_events_processed_total{outcome="late",stream="call"}': rising(5),
    'pulse_events_rejected_total{stream="call",reason="future",instance="w1"}': rising(10),
    'pulse_events_rejected_total{stream="call",reason="future",instance="w2"}': rising(5),
    'pulse_events_rejected_total{stream="call",reason="not_json",instance="w1"}': rising(20),
    'pulse_events_rejected_total{stream="ticket",reason="future",instance="w1"}': rising(30),
    **{
        f'pulse_{what}_late_today{{tenant="{tenant}",stream="{stream}",instance="{board}"}}': always(many + more)
        for what, more in (("events", 0), ("contributions", 50))
        for tenant, stream, board, many in (
            ("acme", "call", "a", 3), ("acme", "call", "b", 4), ("globex", "call", "a", 5), ("acme", "ticket", "a", 2),
        )
    },
    'pulse_transaction_seconds_sum{instance="w1"}': rising(0.25),
    'pulse_transaction_seconds_sum{instance="w2"}': rising(0.5),
    'pulse_transaction_seconds_count{instance="w1"}': rising(0.5),
    'pulse_transaction_seconds_count{instance="w2"}': rising(1),
    # Of 100: 50 up to 0.1 s, 40 more up to 1 s, 10 more up to 5 s.
    **{
        f'pulse_transaction_seconds_bucket{{instance="{worker}",le="{bound}"}}': shape(many)
        for worker, counts in (("w1", (30, 60, 70, 70)), ("w2", (20, 30, 30, 30)))
        for bound, shape, many in zip(("0.1", "1.0", "5.0", "+Inf"), (sudden, sudden, rising, rising), counts, strict=True)
    },
    'pulse_transactions_total{outcome="committed",instance="w1"}': rising(10),
    'pulse_transactions_total{outcome="committed",instance="w2"}': rising(5),
    'pulse_transactions_total{outcome="aborted",instance="w1"}': rising(1),
    **{
        f'{name}{{instance="{instance}"}}': always(value)
        for name, values in (
            ("pulse_state_entities", (100, 20)), ("pulse_state_buckets", (300, 40)), ("pulse_partition_poisoned", (1, 2)),
            ("pulse_board_refused", (3, 1)), ("pulse_snapshot_timestamp_seconds", (280, 295)), ("pulse_sink_last_success_timestamp_seconds", (280, 295)),
            ("pulse_sink_batch_duration_seconds", (0.5, 0.25)),
        )
        for instance, value in zip(("a", "b"), values, strict=True)
    },
    'pulse_snapshot_timestamp_seconds{instance="a",role="second"}': always(290),
    # Newest per partition of each topic: 7 and 3, 2.
    'pulse_state_log_held_back_records{topic="pulse.call.state",partition="0",instance="w1"}': always(7),
    'pulse_state_log_held_back_records{topic="pulse.call.state",partition="0",instance="w2"}': always(5),
    'pulse_state_log_held_back_records{topic="pulse.call.state",partition="1",instance="w1"}': always(3),
    'pulse_state_log_held_back_records{topic="pulse.ticket.state",partition="0",instance="w1"}': always(2),
    # A target found twice counts once.
    'scrape_samples_post_metric_relabeling{job="pulse",role="board",instance="a"}': always(900),
    'scrape_samples_post_metric_relabeling{job="pulse",role="board",instance="a",found="twice"}': always(800),
    'scrape_samples_post_metric_relabeling{job="pulse",role="sink",instance="a"}': always(50),
    'scrape_samples_post_metric_relabeling{job="pulse",role="sink",instance="b"}': always(60),
    'scrape_samples_post_metric_relabeling{job="other",role="sink",instance="b"}': always(70),
    'pulse_collector_errors_total{instance="a"}': rising(2),
    'pulse_collector_errors_total{instance="b"}': rising(3),
    'pulse_rebalances_total{instance="w1"}': rising(1),
    'pulse_rebalances_total{instance="w2"}': rising(2),
    'pulse_sink_state{state="running",instance="a"}': always(1),
    'pulse_sink_state{state="running",instance="b"}': always(1),
    'pulse_sink_state{state="stopped",instance="a"}': always(0),
    'pulse_sink_written_rows_total{instance="a"}': rising(10),
    'pulse_sink_written_rows_total{instance="b"}': rising(30),
    **{
        f'support_oldest_waiting_enqueued_timestamp_seconds{{tenant="{tenant}",queue="{queue}",channel="{channel}"}}': always(at)
        for tenant, queue, channel, at in (
            ("acme", "vip", "voice", 200), ("acme", "vip", "chat", 220), ("acme", "sales", "voice", 240),
            ("globex", "vip", "voice", 250), ("acme", "hidden", "voice", 100), ("other", "vip", "voice", 90),
        )
    },
    **{
        f'pulse_gaming_flags{{tenant="{tenant}",queue="{queue}",kind="{kind}",instance="{sink}"}}': always(days)
        for tenant, queue, kind, sink, days in (
            ("acme", "vip", "short_answers", "a", 1), ("acme", "vip", "short_answers", "b", 2),
            ("acme", "sales", "short_answers", "a", 3), ("acme", "vip", "solved_reopened", "a", 1),
            ("globex", "vip", "short_answers", "a", 4), ("acme", "hidden", "short_answers", "a", 7),
            ("other", "vip", "short_answers", "a", 7),
        )
    },
    **{
        f'success_{name}{{tenant="{tenant}"{window},instance="{board}"}}': always(many + more)
        for name, window, more in (
            ("headcount", "", 0), ("agents_moved", ',window="90d"', 20), ("agents_moved", ',window="30d"', 10),
            ("agents_left", ',window="90d"', 40), ("agents_left", ',window="30d"', 30),
        )
        for tenant, board, many in (("acme", "a", 10), ("acme", "b", 12), ("globex", "a", 5), ("other", "a", 99))
    },
}  # fmt: skip
