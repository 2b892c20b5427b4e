"""Grafana dashboards as code: `make dashboards` writes them as JSON into the chart."""
