"""Photos to dataset: a verdict for every photo, crops, masks, pose maps and captions of the accepted ones."""
