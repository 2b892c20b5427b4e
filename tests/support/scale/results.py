"""Results: what was measured, kept in a file as it comes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .crowd import Crowd
from .throughput import Throughput


@dataclass
class Results:
    """Everything measured so far on this machine."""

    file: Path
    throughputs: list[Throughput] = field(default_factory=list)
    crowds: list[Crowd] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> Results:
        """What an earlier run left."""
        if not file.exists():
            return cls(file)
        document: dict[str, Any] = json.loads(file.read_text())
        throughputs = [Throughput(**row) for row in document["throughputs"]]
        return cls(file, throughputs, [Crowd.read(row) for row in document["crowds"]])

    def add(self, taken: Throughput | Crowd) -> None:
        """Keep one more, at once."""
        if isinstance(taken, Throughput):
            self.throughputs.append(taken)
        else:
            self.crowds.append(taken)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        rows = {name: [asdict(row) for row in getattr(self, name)] for name in ("throughputs", "crowds")}
        at = datetime.now(UTC).strftime("%Y-%m-%d")
        self.file.write_text(json.dumps({"at": at, "cores": os.cpu_count(), **rows}, indent=1))

    def throughput(self, engine: str, size: int) -> Throughput | None:
        """What was measured of an engine at a size."""
        rows = (row for row in self.throughputs if (row.engine, row.size) == (engine, size))
        return next(rows, None)

    def crowd(self, settled: int, active: int) -> Crowd | None:
        """What was measured with so many."""
        return next((row for row in self.crowds if (row.settled, row.active) == (settled, active)), None)
