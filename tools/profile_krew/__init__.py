"""`kubectl profile` as one file for people without this repository, and the manifest that krew installs it by."""
