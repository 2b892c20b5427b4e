"""KServe's manifests made fit for a sandbox: nothing that is checked is lost where the product uses it."""

import base64
import json

from profile_sandbox import kserve, layout

SCHEMA = {
    "type": "object",
    "description": "prose",
    "properties": {
        "description": {"type": "string", "description": "a property of that name"},
        "model": {"properties": {"storageUri": {}, "protocolVersion": {}}},
        "sklearn": {"properties": {"storageUri": {}, "protocolVersion": {}}},
        "transformer": {"properties": {"containers": {}}},
    },
}


def test_prose_goes_and_checks_stay() -> None:
    slimmed = kserve.slim(SCHEMA)
    assert "description" not in slimmed
    assert slimmed["properties"]["description"] == {"type": "string"}
    assert slimmed["properties"]["model"] == SCHEMA["properties"]["model"]  # type: ignore[index]


def test_parts_without_use_are_left_unchecked() -> None:
    properties = kserve.slim(SCHEMA)["properties"]
    assert properties["sklearn"] == properties["transformer"] == kserve.OPEN


def test_the_configuration_needs_neither_knative_nor_istio() -> None:
    data = {"deploy": "{}", "ingress": '{"ingressDomain": "example.com"}', "security": "{}", "_example": "long"}
    configured = kserve.configure({"metadata": {"name": "inferenceservice-config"}, "data": data})
    assert configured["metadata"]["namespace"] == layout.KSERVE_NAMESPACE
    assert json.loads(configured["data"]["deploy"])["defaultDeploymentMode"] == "Standard"
    ingress = json.loads(configured["data"]["ingress"])
    assert ingress["disableIngressCreation"] is True
    assert ingress["ingressDomain"] == "example.com"
    assert "_example" not in configured["data"]


def test_webhooks_go_to_the_process_with_its_authority() -> None:
    hook = {"name": "a", "clientConfig": {"service": {"path": "/mutate"}}, "failurePolicy": "Fail"}
    document = {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "x"}, "webhooks": [hook]}
    (changed,) = kserve.point_at_process(document, b"PEM")["webhooks"]
    assert changed["clientConfig"]["url"] == f"https://127.0.0.1:{layout.KSERVE_WEBHOOK_PORT}/mutate"
    assert base64.b64decode(changed["clientConfig"]["caBundle"]) == b"PEM"
    assert changed["failurePolicy"] == "Fail"
