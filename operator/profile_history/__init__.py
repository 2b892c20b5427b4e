"""History, a deployment of its own: what requests made, as rows of PostgreSQL that people and dashboards ask.

It watches the cluster's requests, reads their reports in the store, and writes; nothing in the cluster or the store
changes by it, and no request waits for it. Everything that it holds can be written anew.
"""
