"""The chart's values as models, and their schema: `make crds` writes values.schema.json into the chart."""
