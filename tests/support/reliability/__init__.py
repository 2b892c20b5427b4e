"""Whole lives of requests with an operator that dies, on a real API server and a real store.

Of the product nothing runs but its operator. `python -m reliability` tries them and writes docs/reliability.md.
"""
