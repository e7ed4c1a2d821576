"""Which dashboards there are, and how each is written down."""

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.pipeline_health import pipeline_health
from deploy.grafana.queues_in_depth import queues_in_depth
from deploy.grafana.success import success
from deploy.grafana.support_live import support_live
from deploy.grafana.voice_and_gaming import voice_and_gaming

FOLDER: Final = Path(__file__).parent / "dashboards"
DASHBOARDS: Final = (support_live, queues_in_depth, success, voice_and_gaming, pipeline_health)


def text(built: Dashboard) -> str:
    """The file's content: sorted, so that a change is a change of what it says."""
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
