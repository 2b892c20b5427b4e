"""krew's manifest of the plug-in. Pure. Its fields: krew's "Writing Plugin Manifest", API version v1alpha2."""

from __future__ import annotations

from typing import Any

from .archive import COMPLETION, LICENCE, PROGRAM

NAME = "profile"
ABOUT = """\
Portraits of a person, in the looks that your platform team offers, from a folder of photos: uploads them, asks for
the portraits with a ProfileRequest, shows a verdict for each photo and progress, downloads what was made, and deletes
everything again. Needs Profile Studio in the cluster; `kubectl profile doctor` tells what is missing.
"""
NEEDS = """\
A Python of 3.11 to 3.13 as python3 on the PATH.
For completion by kubectl's own: kubectl profile completion --install
"""


def manifest(version: str, uri: str, sha256: str, homepage: str) -> dict[str, Any]:
    """The manifest of one archive that serves Linux and macOS. `version` without the v."""
    return {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": NAME},
        "spec": {
            "version": f"v{version}",
            "homepage": homepage,
            "shortDescription": "Portraits from a folder of photos",
            "description": ABOUT,
            "caveats": NEEDS,
            "platforms": [
                {
                    "selector": {"matchExpressions": [{"key": "os", "operator": "In", "values": ["linux", "darwin"]}]},
                    "uri": uri,
                    "sha256": sha256,
                    "files": [{"from": name, "to": "."} for name in (PROGRAM, COMPLETION, LICENCE)],
                    "bin": PROGRAM,
                }
            ],
        },
    }
