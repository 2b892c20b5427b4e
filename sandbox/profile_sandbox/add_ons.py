"""Add-ons: programs that are not of the cluster itself, compiled for whoever asks for them under pins of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import programs
from .build import Say, compile_missing, copy_files, locked, missing, programs_folder, source_of
from .paths import pins_key
from .programs import Module

MANIFESTS = "manifests"
# Among those of the checks: every kind of Kubernetes' own, as OpenAPI.
KUBERNETES_DEFINITIONS = "kubernetes.json"
# What the sandbox takes of each Flux controller's own manifests.
FLUX_FOLDERS = ("crd", "rbac", "manager")


@dataclass(frozen=True)
class AddOn:
    """Programs of one module. `minutes`: of the compile on two cores. `files`: what lies beside them below MANIFESTS,
    source -> place."""

    module: Module
    minutes: int
    files: Callable[[], Mapping[Path, Path]] = dict

    @property
    def folder(self) -> Path:
        """Where this clone's pins put them: below the cluster's programs, where pods see them too."""
        return programs_folder() / f"{self.module.folder.name}-{pins_key(self.module.folder)}"

    @property
    def manifests(self) -> Path:
        """The folder of the files beside them."""
        return self.folder / MANIFESTS

    def ensure(self, say: Say) -> Path:
        """Compile what is missing, and return the folder of the programs.

        Raises SandboxError without a Go tool-chain, or when the compile fails.
        """
        if not missing(self.folder, [self.module]) and self.manifests.exists():
            return self.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder.parent / f"{self.folder.name}.lock", say):
            compile_missing(self.folder, [self.module], self.minutes, say)
            if not self.manifests.exists():
                copy_files(self.files(), self.manifests)
        return self.folder


def _flux_manifests() -> dict[Path, Path]:
    """Flux's manifests: source -> place, a folder for each controller."""
    files: dict[Path, Path] = {}
    for controller in programs.FLUX.programs:
        config = source_of(programs.FLUX, controller.package) / "config"
        manifests = (file for folder in FLUX_FOLDERS for file in (config / folder).rglob("*.yaml"))
        files |= {file: Path(controller.name) / file.relative_to(config) for file in manifests}
    return files


def _argo_manifests() -> dict[Path, Path]:
    """Argo Workflows' CRDs: source -> place."""
    crds = source_of(programs.ARGO, "github.com/argoproj/argo-workflows/v3") / "manifests" / "base" / "crds" / "minimal"
    return {file: Path(file.name) for file in crds.glob("argoproj.io_*.yaml")}


def _kueue_manifests() -> dict[Path, Path]:
    """Kueue's CRDs, rights and webhooks: source -> place."""
    components = source_of(programs.KUEUE, "sigs.k8s.io/kueue") / "config" / "components"
    return {file: file.relative_to(components) for file in components.rglob("*.yaml")}


def _definitions() -> dict[Path, Path]:
    """Definitions of resources for kubeconform: source -> place."""
    kubernetes = source_of(programs.CLUSTER, programs.KUBERNETES_MODULE) / "api" / "openapi-spec" / "swagger.json"
    monitoring = source_of(programs.CHECKS, "github.com/prometheus-operator/prometheus-operator") / "example"
    definitions = monitoring / "prometheus-operator-crd"
    names = ("podmonitors", "prometheusrules")
    return {kubernetes: Path(KUBERNETES_DEFINITIONS)} | {
        definitions / f"monitoring.coreos.com_{name}.yaml": Path(f"crd-{name}.yaml") for name in names
    }


FLUX = AddOn(programs.FLUX, 6, _flux_manifests)
CHECKS = AddOn(programs.CHECKS, 2, _definitions)
KREW = AddOn(programs.KREW, 1)
ACTIONS = AddOn(programs.ACTIONS, 1)
KWOK = AddOn(programs.KWOK, 4)
ARGO = AddOn(programs.ARGO, 8, _argo_manifests)
KUEUE = AddOn(programs.KUEUE, 10, _kueue_manifests)
