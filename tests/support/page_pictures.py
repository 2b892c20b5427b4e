"""python tests/support/page_pictures.py RUN: pictures for docs/ of the page, showing what `profile-studio run` made.

RUN is the folder of such a run, for a person of the cast in two styles (docs/development.md has the command).
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright
from playwright.sync_api import Page as Tab

from page_stand import USER, Stand, stand
from page_world import AREA, NAMESPACE, Document
from profile_cli.run.command import WORK
from profile_cli.run.settings import AREA as RUN_AREA
from profile_cli.run.settings import NAME
from profile_cli.styles import known_styles
from profile_contract.artifacts import ADAPTER
from profile_contract.conditions import ConditionType
from profile_contract.ownership import OWNER_LABEL
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import Stage
from profile_models.model_recipe import recipe_for
from profile_web.visitor import local_visitor

CLONE = Path(__file__).resolve().parents[2]
PHOTOS = CLONE / "models" / "people" / "p900055"
TOY = CLONE / "models" / "studio-mini"
WIDE, PHONE = ViewportSize(width=1100, height=900), ViewportSize(width=390, height=844)
# As they were asked for.
STYLES = ("studio-warm", "studio-cool")
REQUEST, TITLE = "card", "Employee card"
TIME = "2026-03-02T09:00:00Z"


def seed(standing: Stand, run: Path) -> Document:
    """Put what a run made into the stand's store, and a request that is ready into its cluster."""
    owner = local_visitor(USER, NAMESPACE).owner
    places = {
        f"{RUN_AREA}requests/{NAME}/": f"{AREA}requests/{REQUEST}/",
        f"{RUN_AREA}uploads/{NAME}/": f"{AREA}uploads/{owner}/{REQUEST}/",
    }
    for before, after in places.items():
        for file in sorted((run / WORK / before).rglob("*")):
            if not file.is_file():
                continue
            data = file.read_bytes()
            if file.suffix == ".json":
                # Reports name keys.
                for old, new in places.items():
                    data = data.replace(old.encode(), new.encode())
            standing.store.write(after + str(file.relative_to(run / WORK / before)), data)
    standing.api.styles = [yaml.safe_load(file.read_text()) for file in known_styles().values()]
    dataset, finish = _report(standing, "dataset", PreprocessReport), _report(standing, "portraits", FinishReport)
    (adapter,) = [key for key in standing.store.objects if key.endswith(f"/{ADAPTER}")]
    styles = [style for style in STYLES if any(portrait.style == style for portrait in finish.portraits)]
    layouts = [str(file.layout) for file in finish.portraits[0].layouts]
    spec = {"photos": {"prefix": f"uploads/{owner}/{REQUEST}/"}, "styles": styles, "layouts": layouts, "portraits": 3}
    metadata = {"labels": {OWNER_LABEL: owner}, "annotations": {"profilestudio.io/title": TITLE}}
    body = {"metadata": metadata, "spec": spec, "status": _status(dataset, finish, adapter)}
    return standing.api.put_request(NAMESPACE, REQUEST, body)


def _report(standing: Stand, stage: str, kind: Any) -> Any:
    """The report of a stage, by the folder in which stages leave theirs."""
    (key,) = [key for key in standing.store.objects if f"/{REQUEST}/{stage}/" in key and key.endswith("/report.json")]
    report: StageReport = kind.model_validate_json(standing.store.objects[key])
    return report


def _status(dataset: PreprocessReport, finish: FinishReport, adapter: str) -> Document:
    verdicts = [one.model_dump(mode="json", include={"name", "accepted", "reason"}) for one in dataset.verdicts]
    portraits = [
        {
            **portrait.model_dump(mode="json", include={"style", "seed", "rank", "key", "likeness"}),
            "layouts": {str(file.layout): file.key for file in portrait.layouts},
        }
        for portrait in finish.portraits
    ]
    return {
        "area": AREA,
        "observedGeneration": 1,
        "conditions": [_condition(ConditionType.READY, "Succeeded")],
        "photos": {"verdicts": verdicts, "warnings": [one.document() for one in dataset.warnings]},
        "portraits": portraits,
        "bestLikeness": max(portrait.likeness for portrait in finish.portraits),
        "adapter": adapter,
        "contactSheet": finish.contact_sheet,
        "printSheet": finish.print_sheet,
        "likenessReport": finish.likeness_report,
        "toyModel": TOY.name if recipe_for(TOY).recipe.toy else None,
    }


def _condition(kind: ConditionType, reason: str) -> Document:
    return {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": TIME, "observedGeneration": 1}


def in_training(request: Document) -> Document:
    """The status of the same request while the person is learned."""
    conditions = [_condition(ConditionType.RECONCILING, "Running"), _condition(ConditionType.PREPROCESSED, "Succeeded")]
    return {
        "area": AREA,
        "observedGeneration": 1,
        "conditions": conditions,
        "photos": request["status"]["photos"],
        "stages": {"preprocess": {"digest": "d"}},
        "progress": {"stage": Stage.TRAIN, "percent": 46, "remainingSeconds": 372},
    }


def loaded(tab: Tab) -> None:
    """Return when every picture of the page is there."""
    tab.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    # The page's policy forbids the waits that evaluate text in it.
    while not tab.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)"):
        tab.wait_for_timeout(100)
    tab.evaluate("scrollTo(0, 0)")


def _gallery(tab: Tab, standing: Stand) -> None:
    tab.goto(f"{standing.url}#/request/{REQUEST}")
    expect(tab.locator(".compare").first).to_be_visible(timeout=30_000)
    loaded(tab)


def draw(browser: Browser, standing: Stand, request: Document, out: Path) -> None:
    """Write page-gallery.png, page-phone.png, page-form.png and page-steps.png."""
    tab = browser.new_page(viewport=WIDE, locale="en-US", reduced_motion="reduce")
    _gallery(tab, standing)
    tab.screenshot(path=out / "page-gallery.png", full_page=True)
    phone = browser.new_page(viewport=PHONE, locale="ko-KR", color_scheme="dark", device_scale_factor=2)
    _gallery(phone, standing)
    phone.screenshot(path=out / "page-phone.png")
    tab.goto(f"{standing.url}#/new")
    tab.locator("input[type=file]").set_input_files(sorted(PHOTOS.glob("*.jpg"))[:6])
    expect(tab.locator(".photo.sent")).to_have_count(6, timeout=30_000)
    loaded(tab)
    tab.screenshot(path=out / "page-form.png", full_page=True)
    request["status"] = in_training(request)
    # Who follows it is told.
    request["metadata"]["resourceVersion"] = "training"
    phone.close()
    tab.goto(f"{standing.url}#/request/{REQUEST}")
    # Streams tell what was read last, and look again after that.
    tab.wait_for_timeout(4000)
    expect(tab.locator(".steps .now progress")).to_be_visible(timeout=30_000)
    loaded(tab)
    tab.screenshot(path=out / "page-steps.png", full_page=True)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of this machine."""
    with sync_playwright() as playwright:
        # The sandbox of Chromium wants namespaces that root may not make.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the --out of a run")
    parser.add_argument("--out", type=Path, default=CLONE / "docs" / "pictures", help="(default: %(default)s)")
    arguments = parser.parse_args()
    with stand() as standing, chromium() as browser:
        draw(browser, standing, seed(standing, arguments.run), arguments.out)


if __name__ == "__main__":
    main()
