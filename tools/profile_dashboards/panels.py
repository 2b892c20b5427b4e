"""The few kinds of panels that our dashboards are made of."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# Grid units: a dashboard is 24 wide.
HALF, THIRD, QUARTER = 12, 8, 6
GRAPH_HEIGHT, NUMBER_HEIGHT = 8, 4
FILL = 12

Queries = Mapping[str, str]
"""Legend -> PromQL."""


def board(title: str, uid: str, description: str) -> dashboard.Dashboard:
    """An empty dashboard whose data source is chosen by who looks."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["profile-studio"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )


def graph(
    title: str, queries: Queries, *, unit: str = "short", stacked: bool = False, span: int = HALF, help_text: str = ""
) -> timeseries.Panel:
    """Lines over time."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(help_text)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .span(span)
        .height(GRAPH_HEIGHT)
        .fill_opacity(FILL)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    for number, (legend, query) in enumerate(queries.items()):
        panel = panel.with_target(_query(query, legend, number))
    return panel


def number(title: str, query: str, *, unit: str = "short", span: int = QUARTER, help_text: str = "") -> stat.Panel:
    """One figure, as it is now."""
    return (
        stat.Panel()
        .title(title)
        .description(help_text)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(NUMBER_HEIGHT)
        .with_target(_query(query, title, 0).instant())
    )


def _query(query: str, legend: str, number: int) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + number))
