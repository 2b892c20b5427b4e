"""What every program of ours runs on: the store, progress, the shell of a stage, weights."""
