"""The only writer: Jobs, Secrets, status, events, and what is purged."""
