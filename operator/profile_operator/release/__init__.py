"""Programs of the chart's hooks: what `helm test` runs, and what looks before `helm uninstall`."""
