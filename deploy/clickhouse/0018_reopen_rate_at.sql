-- `reopen_rate` of what is 72 h old at an instant, by the local day of the solving: sum `part` and `n` over the days of a
-- window. From facts, so exact also in the past; `reopen_rate` itself has every solving of a day, however young.

CREATE VIEW IF NOT EXISTS reopen_rate_at AS
WITH
    pow(1.959963984540054, 2) AS z2,
    (SELECT zones FROM declared_now) AS zones
SELECT tenant, `group`, channel, day, 'default' AS definition, part, n, part / n AS value,
    greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n)) AS low,
    least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n)) AS high
FROM (
    SELECT tenant, solve.3 AS `group`, channel,
        toDate(toString(fromUnixTimestamp64Milli(solve.1, 'UTC'), if(zones[tenant] = '', 'UTC', zones[tenant]))) AS day,
        countIf(solve.2 > 0 AND solve.2 <= solve.1 + 259200000) AS part, count() AS n,
        sqrt(z2 * (part / n) * (1 - part / n) / n + z2 * z2 / (4 * n * n)) AS half
    FROM (
        SELECT tenant, channel, arrayJoin(arrayZip(solved_ms, reopened_ms, solved_groups)) AS solve
        FROM tickets_now
        WHERE contradiction = ''
    )
    WHERE solve.1 <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) - 259200000
    GROUP BY tenant, `group`, channel, day
);
