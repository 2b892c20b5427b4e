"""installation: which one serves a request. The first that writes its name into the status does; others keep off."""

from __future__ import annotations

from dataclasses import replace

from profile_contract.conditions import Reason
from profile_contract.resource import INSTALLATION_ANNOTATION, RequestHead
from profile_operator.config import OperatorConfig

from .advice import plain
from .plan import EventNote, Plan


def served_by_another(head: RequestHead, config: OperatorConfig) -> str:
    """The installation that is to serve the request, where that is not this one; else empty.

    What a person says by the annotation goes before what the status tells. Names that this installation had before
    (`formerly`) are its own.
    """
    holder = head.handed_to or head.status.installation
    return another(holder, config)


def another(holder: str, config: OperatorConfig) -> str:
    """Who holds an object of any kind, where that is neither nobody, nor this installation under any of its names;
    else empty."""
    return "" if holder in ("", config.installation, *config.formerly) else holder


def keeping_off(head: RequestHead, holder: str, installation: str) -> Plan:
    """What is told of a request that another installation serves: an Event, and nothing in the status, which is the
    other's to write."""
    message = (
        f"this installation ({installation or 'without a name'}) keeps off: {plain(holder)} serves the request. To "
        f"hand it over: kubectl annotate preq {head.key.name} {INSTALLATION_ANNOTATION}={installation}"
    )
    return Plan(events=(EventNote(Reason.OTHER_INSTALLATION, message, warning=True),))


def claimed(plan: Plan, head: RequestHead, installation: str) -> Plan:
    """The plan with the installation's name in the status that it writes. One is written for a request that a person
    handed over, even where nothing else is to be told of it."""
    handed = head.handed_to and head.unread_status is None
    status = plan.status or (head.status if handed else None)
    if status is None or not installation or status.installation == installation:
        return plan
    return replace(plan, status=status.model_copy(update={"installation": installation}))
