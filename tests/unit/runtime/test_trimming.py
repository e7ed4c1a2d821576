"""Below which offset the state log may be cut: never past the snapshot, the age or the sink."""

import pytest

from pipeline.runtime.trimming import cut_below


@pytest.mark.parametrize(
    ("restore_from", "old_enough", "sink_offset", "cut"),
    [
        (100, None, None, 100),  # everything is old, nobody else reads
        (100, 40, None, 40),  # the young stays
        (100, 400, None, 100),  # the snapshot stays, however old
        (100, None, 30, 30),  # the sink has not read it yet
        (100, 40, 30, 30),
        (100, 30, 40, 30),
        (100, None, 0, 0),  # a sink that has read nothing
        (100, 0, None, 0),
        (-1, None, None, 0),  # no cycle of the snapshot is through
        (-1, 50, 50, 0),
    ],
)
def test_log_is_cut_below_what_everybody_has_left_behind(restore_from, old_enough, sink_offset, cut):
    assert cut_below(restore_from, old_enough, sink_offset) == cut
