"""Networks beside the base model: what enlarges pictures, and what holds some of them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from profile_cli.errors import CommandError
from profile_contract.model import digest_of
from profile_contract.stages.chain import Digests
from profile_contract.style import ProfileStyleSpec
from profile_contract.style_ref import StyleRef


@dataclass(frozen=True)
class OtherNetworks:
    """Folders below the models folder; empty where none is named."""

    upscaler: str = ""
    safety_checker: str = ""

    def check(self, models: Path, styles: Mapping[str, ProfileStyleSpec]) -> None:
        """Raises CommandError for a network that is not there or is another one, and for a style that wants one that
        was not named: all before anything is learnt."""
        enlarged = next((key for key, style in styles.items() if style.upscale is not None), None)
        if enlarged is not None and not self.upscaler:
            shown = StyleRef.of_key(enlarged).shown
            raise CommandError(f"the style {shown} enlarges its candidates (upscale): name a network, --upscaler MODEL")
        for option, name in (("--upscaler", self.upscaler), ("--safety-checker", self.safety_checker)):
            path = PurePath(name)
            if name and (path.is_absolute() or ".." in path.parts or not (models / name).is_dir()):
                raise CommandError(f"{option} {name!r} is no folder below {models}")
        try:
            self._load(models)
        except (FileNotFoundError, ValueError) as error:
            raise CommandError(str(error)) from error

    def _load(self, models: Path) -> None:
        """Read them once, so that a wrong one is told. Raises FileNotFoundError, ValueError."""
        if self.upscaler or self.safety_checker:
            import torch

            from profile_draw.safety import SafetyChecker
            from profile_draw.upscaling import Upscaler

            if self.upscaler:
                Upscaler.load(models, self.upscaler, torch.device("cpu"))
            if self.safety_checker:
                SafetyChecker.load(models, self.safety_checker, torch.device("cpu"))

    def drawn(self, digests: Digests, styles: Mapping[str, ProfileStyleSpec]) -> Digests:
        """The digests of what is drawn with these networks: what was drawn without a safety checker was looked at by
        none, and is drawn anew."""
        candidates = {key: self._of_style(digest, styles[key]) for key, digest in digests.styles.items()}
        if candidates == digests.styles:
            return digests
        finish = digest_of([digests.finish, *sorted(candidates.values())]) if digests.finish else ""
        return replace(digests, styles=candidates, finish=finish)

    def _of_style(self, digest: str, style: ProfileStyleSpec) -> str:
        used = {
            "upscaler": self.upscaler if style.upscale is not None else "",
            "safetyChecker": self.safety_checker,
        }
        named = {what: name for what, name in used.items() if name}
        return digest_of([digest, named]) if named else digest
