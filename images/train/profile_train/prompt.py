"""The prompt of the training's own portraits. It stands alone: who reads it needs no torch."""

PROMPT = "studio portrait photo of {subject}, facing the camera"
