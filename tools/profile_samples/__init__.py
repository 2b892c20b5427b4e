"""Pictures of the chart's styles, drawn with the demo's base model."""
