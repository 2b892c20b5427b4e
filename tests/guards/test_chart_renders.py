"""What the chart makes of its defaults, of the demo's values, and of all options at once.

Recorded anew by PROFILE_RECORD=1, see `record`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import house
from chart import STYLES_KNOWN, run
from record import compare, shortened

EVERYTHING = Path(__file__).parent / "everything.yaml"
MONITORING = ("--api-versions", "monitoring.coreos.com/v1")
PRESETS = ("values-cpu.yaml", "values-studio-mini.yaml")


def _rendered(*arguments: str) -> str:
    rendered = run("template", "profile-studio", str(house.CHART), "--namespace", "profile-system", *arguments)
    assert rendered.returncode == 0, rendered.stderr
    version = yaml.safe_load((house.CHART / "Chart.yaml").read_text())["version"]
    text = re.sub(rf"(?<![0-9.]){re.escape(version)}(?![0-9.])", "<version>", rendered.stdout)
    # The owner key is drawn anew at every rendering.
    return shortened(re.sub(r"^(  key: )[A-Za-z0-9+/]{64}$", r"\1<random>", text, flags=re.MULTILINE))


def _values(*files: Path) -> list[str]:
    return [word for file in files for word in ("--values", str(file))]


def test_defaults() -> None:
    compare("chart-defaults.yaml", _rendered())


def test_the_demo(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(house.demo_values()))
    files = [*(house.CHART / name for name in PRESETS), values]
    compare("chart-demo.yaml", _rendered(*STYLES_KNOWN, *_values(*files)))


@pytest.mark.parametrize("crds", ["installed", "elsewhere"])
def test_everything(crds: str) -> None:
    off = () if crds == "installed" else ("--set", "crds.install=false,styles.install=false,uninstall.check=false")
    text = _rendered(*STYLES_KNOWN, *MONITORING, *_values(EVERYTHING), *off)
    compare(f"chart-everything-{crds}.yaml", text)
