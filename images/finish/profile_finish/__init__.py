"""Candidates to portraits: scored, ranked, cut to layouts, marked, and shown beside the photos."""
