"""Kubernetes' own forms as types: names of objects, amounts, environment variables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"

# Of a namespace, a Service or an InferenceService: the label of a host's name.
LabelName = Annotated[str, Field(max_length=63, pattern=rf"^{_LABEL}$")]
LabelNameOrNone = Annotated[str, Field(max_length=63, pattern=rf"^({_LABEL})?$")]
# Of most other objects: Secrets, claims, priority classes.
ObjectName = Annotated[str, Field(max_length=253, pattern=rf"^{_SUBDOMAIN}$")]
ObjectNameOrNone = Annotated[str, Field(max_length=253, pattern=rf"^({_SUBDOMAIN})?$")]
# What a container asks for, as text: "500m", "1", "2Gi".
Amount = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")]
# The limit of an emptyDir.
Size = Annotated[str, Field(pattern=r"^[0-9]+(Mi|Gi|Ti)$")]
# An installation: the namespace and the name of its Helm release.
LONGEST_INSTALLATION = 128
InstallationName = Annotated[
    str,
    Field(max_length=LONGEST_INSTALLATION, pattern=rf"^{_LABEL}/{_SUBDOMAIN}$"),
]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]
