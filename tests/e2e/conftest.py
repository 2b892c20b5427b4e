"""What end-to-end tests share: weights, people, and a store in a folder with photos in it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from playwright.sync_api import Page as Tab

from areas import area
from page_forms import WIDE
from page_stand import Stand, stand
from profile_contract.artifacts import stage_prefix
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PhotoRef, PreprocessOrder, PreprocessParameters, PreprocessReport
from profile_contract.stages.table import Stage
from profile_models.folders import models_folder, photos_folder
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore

PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"

Photos = dict[str, bytes]
Preprocess = Callable[..., PreprocessReport]


@pytest.fixture
def models() -> Path:
    """The machine's models folder. `make weights` fetches what belongs there."""
    folder = models_folder()
    assert (folder / "vision" / "sface.onnx").is_file(), "weights are missing: run 'make weights'"
    return folder


def photos_in(folder: Path) -> Photos:
    """The JPEG files of a folder by name."""
    found = {path.name: path.read_bytes() for path in sorted(folder.glob("*.jpg"))}
    assert found, f"no photos in {folder}: run 'make weights'"
    return found


@pytest.fixture
def woman() -> Photos:
    """Twelve photos of a rendered person."""
    return photos_in(PEOPLE / "p00060")


@pytest.fixture
def man() -> Photos:
    """Twelve photos of another rendered person."""
    return photos_in(PEOPLE / "p900055")


@pytest.fixture
def real_photos() -> Photos:
    """Five photos of two real persons, fetched; they are never part of the repository."""
    return photos_in(photos_folder() / "real")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A store in an empty folder."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def preprocess_order(store: FolderStore) -> Callable[..., PreprocessOrder]:
    """Uploads photos and makes the order: `preprocess_order(photos, resolution=256, minimum_photos=5)`."""

    def order(photos: Photos, **parameters: int) -> PreprocessOrder:
        for name, data in photos.items():
            store.write(f"ns.1a2b3c4d-5e6f/uploads/person/{name}", data)
        listed = store.list("ns.1a2b3c4d-5e6f/uploads/person/")
        refs = [PhotoRef(name=Path(o.key).name, key=o.key, bytes=o.bytes, etag=o.etag) for o in listed]
        return PreprocessOrder(
            request=RequestRef(namespace="ns", name="person"),
            digest="d" * 16,
            output=stage_prefix(area("ns"), "person", Stage.PREPROCESS, "d" * 16),
            photos=refs,
            parameters=PreprocessParameters(**{"resolution": 256, **parameters}),
        )

    return order


@pytest.fixture
def preprocess(models: Path, store: FolderStore, preprocess_order: Callable[..., PreprocessOrder]) -> Preprocess:
    """Runs preprocessing on photos, as the program does: the report is in the store afterwards."""

    def run(photos: Photos, **parameters: int) -> PreprocessReport:
        from profile_preprocess.stage import run as stage

        order = preprocess_order(photos, **parameters)
        report = run_stage(stage, order, Stage.PREPROCESS, store, models=models)
        assert isinstance(report, PreprocessReport)
        return report

    return run


# --- the page in a browser ---


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; `make browser` installs it."""
    program = shutil.which("chromium")
    assert program, "chromium is missing: run `make browser`"
    with sync_playwright() as playwright:
        # The sandbox of Chromium wants namespaces that root may not make here.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page() -> Iterator[Stand]:
    with stand() as standing:
        yield standing


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=WIDE, locale="en-US", reduced_motion="reduce")
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext) -> Iterator[Tab]:
    tab = context.new_page()
    mistakes: list[str] = []
    tab.on("pageerror", lambda error: mistakes.append(str(error)))
    yield tab
    assert mistakes == []
