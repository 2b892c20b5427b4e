"""The page's HTTP interface, a file a concept: thin; what is shown and asked for is decided in `views`, `wishes` and
`holdings`."""
