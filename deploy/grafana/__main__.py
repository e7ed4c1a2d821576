"""`python -m deploy.grafana` writes the committed dashboards anew."""

from deploy.grafana.catalogue import DASHBOARDS, FOLDER, text

for made in DASHBOARDS:
    built = made()
    (FOLDER / f"{built.uid}.json").write_text(text(built), encoding="utf-8")
