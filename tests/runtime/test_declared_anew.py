"""A worker opens its partitions under other definitions: it works them out anew, or refuses and names why."""

from structlog.testing import capture_logs

from pipeline.metrics.definitions import declare
from tests.builders import DAY, event, raw
from tests.runtime.world import World, until

USES = 12


def use(number: int) -> bytes:
    """One account, a feature a day."""
    return raw(
        event(
            "feature_used", number * DAY / USES, contact=None, type="pulse.usage.feature_used", id=f"u{number}",
            accountid="a", user_ref="x", feature="board",
        )
    )  # fmt: skip


SIGNED_UP = raw(event("signed_up", 0, contact=None, type="pulse.usage.signed_up", id="s", accountid="a"))


async def test_adoption_declared_anew_is_worked_out_from_memory_and_told_without_an_event(own_kafka):
    world = World(own_kafka, partitions=1, stream="usage")
    await world.create_topics()
    await world.tell([(b"t|a", SIGNED_UP), *((b"t|a", use(number)) for number in range(USES))], 0)
    async with world.working():
        await until(world.all_counted)
    before = await world.assert_exact(0)

    world.definitions = declare({"adoption": {"d": 1}, "tenants": {"t": {"tz": "Asia/Tokyo"}}})
    with capture_logs() as logs:
        async with world.working() as worker:

            async def is_told() -> bool:
                return len(await world.told(0)) > len(before)

            await until(is_told)
            assert worker.problems() == []
    (said,) = [line for line in logs if line["event"] == "PartitionProjected"]
    assert said["declared_anew"] == "adoption, tenants.*.tz"
    log = await world.assert_exact(0)
    adopted = {each.header.format for each in log}
    assert len(adopted) == 2

    await world.tell([(b"t|a", use(USES))], 0)
    async with world.working():
        await until(world.all_counted)
    await world.assert_exact(0)


async def test_bounds_declared_anew_are_refused_by_name_until_they_are_put_back(own_kafka):
    world = World(own_kafka, partitions=1)
    await world.create_topics()
    await world.tell_calls(5)
    async with world.working():
        await until(world.all_counted)

    world.definitions = declare(
        {"thresholds": [17], "stuck_after": 60, "tenants": {"t": {"tz": "Asia/Tokyo"}}}
    )
    async with world.working() as worker:
        (problem,) = await until(worker.problems)
        while "stays closed" not in problem:
            (problem,) = await until(worker.problems)
    assert "tenants.*.tz, thresholds declared otherwise than when the state was made" in problem
    assert "put back the former definitions, or pulse rebuild --stream call" in problem

    world.definitions = declare({"stuck_after": 60, "n_min": 3, "frt_target": 60})
    await world.tell_calls(5, first=5)
    async with world.working():
        await until(world.all_counted)
    await world.assert_exact(0)
