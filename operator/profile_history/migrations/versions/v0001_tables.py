"""Requests, their stages, photos' verdicts, artifacts, likeness."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE requests (
    namespace text NOT NULL, name text NOT NULL, uid text NOT NULL DEFAULT '', noun text NOT NULL DEFAULT '',
    styles text[] NOT NULL DEFAULT '{}', ready text NOT NULL DEFAULT 'Unknown', reason text NOT NULL DEFAULT '',
    gpu_seconds integer NOT NULL DEFAULT 0, deletion_policy text NOT NULL DEFAULT 'Retain',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, name));
CREATE TABLE stages (
    namespace text NOT NULL, name text NOT NULL, stage text NOT NULL, digest text NOT NULL,
    style text NOT NULL DEFAULT '', outcome text NOT NULL, reason text NOT NULL, message text NOT NULL DEFAULT '',
    started_at timestamptz, finished_at timestamptz, seconds double precision NOT NULL DEFAULT 0,
    peak_memory_megabytes integer NOT NULL DEFAULT 0,
    gpu text NOT NULL DEFAULT '', gpu_count integer NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, name, stage, digest));
CREATE TABLE verdicts (
    namespace text NOT NULL, name text NOT NULL, digest text NOT NULL, photo text NOT NULL,
    accepted boolean NOT NULL, reason text NOT NULL, measures jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (namespace, name, digest, photo));
CREATE TABLE artifacts (
    namespace text NOT NULL, name text NOT NULL, stage text NOT NULL, digest text NOT NULL, key text PRIMARY KEY,
    sha256 text NOT NULL DEFAULT '', bytes bigint NOT NULL DEFAULT 0);
CREATE TABLE likeness (
    namespace text NOT NULL, name text NOT NULL, digest text NOT NULL, style text NOT NULL, seed integer NOT NULL,
    cosine double precision, likeness integer, delivered boolean NOT NULL, refusal text NOT NULL DEFAULT '',
    PRIMARY KEY (namespace, name, digest, style, seed));
"""


def upgrade() -> None:
    op.execute(TABLES)
