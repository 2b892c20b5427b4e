"""The command line: the folder runner, and the demo."""
