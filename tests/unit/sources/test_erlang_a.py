"""The simulated queue behaves as queueing theory says: birth-death chain against batch means.

Theory: C. Palm 1957; Mandelbaum and Zeltyn, "Service engineering in action: the Palm/Erlang-A queue".
"""

from dataclasses import dataclass
from itertools import islice
from math import exp, sqrt
from statistics import fmean, stdev

import pytest

from pipeline.sources.simulate import CallCentre, Queue, simulate

START_MS = 1_772_409_600_000
BATCHES = 30
T_999 = 3.66  # Student, 29 degrees of freedom, two-sided 99.9 %


@dataclass(frozen=True)
class Theory:
    wait_seconds: float  # of all legs, whatever became of them
    abandoned: float  # share of all legs
    delayed: float  # share that finds every agent busy
    occupancy: float  # share of the agents' time spent talking
    answered_in_20: float  # share of all legs answered within 20 s


def palm(contacts_per_second: float, agents: int, service: float, patience: float) -> Theory:
    """States j = legs at the centre: up at λ, down at min(j, n)/service + max(0, j - n)/patience."""
    weights = [1.0]
    for j in range(1, 4000):
        down = min(j, agents) / service + max(0, j - agents) / patience
        weights.append(weights[-1] * contacts_per_second / down)
    total = sum(weights)
    queue_length = sum((j - agents) * w for j, w in enumerate(weights) if j > agents) / total
    wait = queue_length / contacts_per_second  # Little
    abandoned = wait / patience
    at_once = sum(weights[:agents]) / total
    ahead = [weight / total for weight in weights[agents : agents + 200]]
    return Theory(
        wait,
        abandoned,
        sum(weights[agents:]) / total,
        contacts_per_second * (1 - abandoned) * service / agents,
        at_once + served_within(20.0, ahead, agents / service, 1 / patience),
    )


def served_within(seconds: float, ahead: list[float], mu: float, theta: float) -> float:
    """Share answered in time of those who meet k = 0, 1, … others ahead with these probabilities.

    Whoever is ahead goes at rate mu + k·theta (served, or out of patience), the one we watch is served next
    at mu and gives up at theta: Kolmogorov's equations, by Runge and Kutta.
    """

    def change(state: list[float]) -> list[float]:
        going = [p * (mu + k * theta) for k, p in enumerate(state)]
        return [
            nearer - own - p * theta for own, nearer, p in zip(going, [*going[1:], 0.0], state, strict=True)
        ]

    steps, served, state = 400, 0.0, ahead
    h = seconds / steps
    for _ in range(steps):
        one = change(state)
        two = change([p + h / 2 * d for p, d in zip(state, one, strict=True)])
        three = change([p + h / 2 * d for p, d in zip(state, two, strict=True)])
        four = change([p + h * d for p, d in zip(state, three, strict=True)])
        after = [
            p + h / 6 * (a + 2 * b + 2 * c + d)
            for p, a, b, c, d in zip(state, one, two, three, four, strict=True)
        ]
        served += mu * h / 2 * (state[0] + after[0])
        state = after
    return served


def plain(load: float, agents: int, service: float, patience: float | None) -> CallCentre:
    queue = Queue(tenant="t", queue_id="q", contacts_per_hour=load * agents / service * 3600, agents=agents)
    return CallCentre(
        queues=(queue,),
        service_seconds=service,
        patience_seconds=patience,
        menu_share=0,
        bot_share=0,
        transfer_share=0,
        callback_share=0,
        flow_out_share=0,
        ended_only_share=0,
        overflow_per_agent=1e9,
    )


def legs(params: CallCentre, seed: int, contacts: int) -> list[tuple[float, bool]]:
    """(wait in seconds, has abandoned) of each leg in order of enqueueing; the first 5 % left out."""
    queued: dict[object, int] = {}
    left: dict[object, tuple[float, bool]] = {}
    for at_ms, _, event in islice(simulate(params, seed, START_MS), 3 * contacts):
        leg = event["data"]["leg"]
        if event["type"] == "pulse.call.queued":
            queued[leg] = at_ms
        elif event["type"] in {"pulse.call.answered", "pulse.call.abandoned"}:
            left[leg] = (at_ms - queued[leg]) / 1000, event["type"] == "pulse.call.abandoned"
    complete = [left[leg] for leg in queued if leg in left]
    return complete[len(complete) // 20 :]


def occupancies(params: CallCentre, seed: int, contacts: int) -> list[float]:
    """Share of the agents' time spent talking, in consecutive stretches of equal length; the first left out."""
    answered: dict[object, int] = {}
    talks: list[tuple[int, int]] = []
    for at_ms, _, event in islice(simulate(params, seed, START_MS), 3 * contacts):
        if event["type"] == "pulse.call.answered":
            answered[event["data"]["leg"]] = at_ms
        elif event["type"] == "pulse.call.ended" and event["data"]["leg"] in answered:
            talks.append((answered.pop(event["data"]["leg"]), at_ms))
    first, last = talks[0][0], min(answered.values())
    length = (last - first) / (BATCHES + 1)
    busy = [0.0] * (BATCHES + 1)
    for begin, end in talks:
        for number in range(int((begin - first) // length), int((end - first) // length) + 1):
            edge = first + number * length
            if number <= BATCHES:
                busy[number] += min(end, edge + length) - max(begin, edge)
    return [each / length / params.queues[0].agents for each in busy[1:]]


def interval(values: list[float]) -> tuple[float, float]:
    """Mean and half width of its confidence interval from the means of consecutive batches."""
    size = len(values) // BATCHES
    means = [fmean(values[i * size : (i + 1) * size]) for i in range(BATCHES)]
    return fmean(means), T_999 * stdev(means) / sqrt(BATCHES)


CENTRES = [
    pytest.param(1.1, 5, 180.0, 120.0, 50_000, id="overloaded"),
    pytest.param(0.9, 12, 180.0, 120.0, 100_000, id="busy"),
    pytest.param(0.7, 2, 60.0, 30.0, 50_000, id="small and impatient"),
]


@pytest.mark.parametrize(("load", "agents", "service", "patience", "contacts"), CENTRES)
def test_waits_and_abandonment_agree_with_erlang_a(load, agents, service, patience, contacts):
    expected = palm(load * agents / service, agents, service, patience)
    seen = legs(plain(load, agents, service, patience), 11, contacts)
    for values, theory in (
        ([wait for wait, _ in seen], expected.wait_seconds),
        ([float(has_abandoned) for _, has_abandoned in seen], expected.abandoned),
        ([float(wait > 0) for wait, _ in seen], expected.delayed),
        ([float(wait <= 20 and not gone) for wait, gone in seen], expected.answered_in_20),
    ):
        mean, half_width = interval(values)
        assert abs(mean - theory) <= half_width
        assert half_width < 0.12 * theory


@pytest.mark.parametrize(("load", "agents", "service", "patience", "contacts"), CENTRES)
def test_agents_are_as_busy_as_erlang_a_says(load, agents, service, patience, contacts):
    expected = palm(load * agents / service, agents, service, patience).occupancy
    mean, half_width = interval(occupancies(plain(load, agents, service, patience), 23, contacts))
    assert abs(mean - expected) <= half_width
    assert half_width < 0.05 * expected


def test_waits_without_abandonment_agree_with_erlang_c():
    # An Erlang-C queue is an Erlang-A queue of endless patience.
    load, agents, service = 0.6, 4, 180.0
    expected = palm(load * agents / service, agents, service, 1e12)
    mean, half_width = interval([wait for wait, _ in legs(plain(load, agents, service, None), 5, 120_000)])
    assert abs(mean - expected.wait_seconds) <= half_width
    assert half_width < 0.12 * expected.wait_seconds


def test_theory_knows_the_textbook_value_of_erlang_c():
    # Two agents, load 3/4 each: P(delay) = 9/14 (Erlang's C formula by hand), mean wait 9/14 · s/(n(1-ρ)).
    theory = palm(1.5 / 180, 2, 180.0, 1e12)
    assert theory.delayed == pytest.approx(9 / 14)
    assert theory.wait_seconds == pytest.approx(9 / 14 * 180 / 0.5)
    assert theory.occupancy == pytest.approx(3 / 4)
    # Wait beyond t: 9/14 · e^(-(nμ - λ)t), nμ - λ = 0.5/180.
    assert theory.answered_in_20 == pytest.approx(1 - 9 / 14 * exp(-20 * 0.5 / 180), rel=1e-4)


def test_in_time_enough_everybody_is_answered_or_has_given_up():
    theory = palm(1.1 * 5 / 60, 5, 60.0, 30.0)
    weights = [0.2, 0.3, 0.1]
    everybody = served_within(400.0, weights, 5 / 60, 1 / 30)
    # k ahead: each of k + 1 stages is passed before the patience ends with (μ + kθ)/(μ + (k + 1)θ).
    mu, theta = 5 / 60, 1 / 30
    assert everybody == pytest.approx(
        sum(p * mu / (mu + (k + 1) * theta) for k, p in enumerate(weights)), rel=1e-3
    )
    assert 0 < theory.answered_in_20 < 1 - theory.abandoned
