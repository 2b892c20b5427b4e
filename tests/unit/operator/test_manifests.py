"""What the operator writes to the cluster, compared as whole documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from operator_world import CONFIG, KEY
from profile_contract.conditions import Reason
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessParameters
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder
from profile_operator.act import manifests
from profile_operator.config import FinishConfig, OperatorConfig, SignatureConfig
from profile_operator.decide.plan import CreateJob, EventNote
from profile_operator.job_settings import JobsConfig, Resources, StageJob, Toleration

OWNER = {
    "apiVersion": "profilestudio.io/v1alpha1",
    "kind": "ProfileRequest",
    "name": "minji",
    "uid": "u1",
    "controller": True,
    "blockOwnerDeletion": True,
}
LABELS = {
    "app.kubernetes.io/name": "profile-studio",
    "app.kubernetes.io/component": "preprocess",
    "app.kubernetes.io/instance": "minji",
    "app.kubernetes.io/managed-by": "profile-operator",
    "profilestudio.io/request": "minji",
    "profilestudio.io/request-uid": "u1",
    "profilestudio.io/stage": "preprocess",
}
NO_SIDECARS = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}
ORDER = PreprocessOrder(
    request=RequestRef(namespace="hr", name="minji", uid="u1"),
    digest="0123456789abcdef",
    output="hr.1a2b3c4d-5e6f/requests/minji/dataset/0123456789abcdef/",
    photos=[],
    parameters=PreprocessParameters(),
)
ACTION = CreateJob(Stage.PREPROCESS, "minji-preprocess-01234567", ORDER, ())


def secret(key: str, **more: object) -> dict[str, object]:
    return {"name": key, "valueFrom": {"secretKeyRef": {"name": "minji-preprocess-u1", "key": key, **more}}}


def test_the_job_of_a_stage_meets_restricted_pod_security() -> None:
    assert manifests.job(ACTION, KEY, "u1", CONFIG, redis=True) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "minji-preprocess-01234567",
            "namespace": "hr",
            "labels": LABELS,
            "annotations": {**NO_SIDECARS, "profilestudio.io/digest": "0123456789abcdef"},
            "ownerReferences": [OWNER],
        },
        "spec": {
            "backoffLimit": 2,
            "ttlSecondsAfterFinished": 3600,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": "stage", "operator": "In", "values": [42]},
                    },
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "template": {
                "metadata": {"labels": LABELS, "annotations": NO_SIDECARS},
                "spec": {
                    "restartPolicy": "Never",
                    "activeDeadlineSeconds": 3600,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 30,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 65532,
                        "runAsGroup": 65532,
                        "fsGroup": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "stage",
                            "image": "preprocess",
                            "imagePullPolicy": "IfNotPresent",
                            "env": [
                                {"name": "PROFILE_ORDER", "value": ORDER.to_json()},
                                {
                                    "name": "PROFILE_STORE",
                                    "value": "s3://profiles?endpoint=minio:9000&secure=false&region=us-east-1",
                                },
                                {"name": "PROFILE_MODELS", "value": "/models"},
                                {"name": "HOME", "value": "/scratch"},
                                {"name": "TMPDIR", "value": "/scratch"},
                                {"name": "XDG_CACHE_HOME", "value": "/scratch/cache"},
                                {"name": "XDG_CONFIG_HOME", "value": "/scratch/config"},
                                {"name": "YOLO_CONFIG_DIR", "value": "/scratch"},
                                {"name": "MPLCONFIGDIR", "value": "/scratch/matplotlib"},
                                {"name": "TORCH_HOME", "value": "/scratch/torch"},
                                {"name": "HF_HOME", "value": "/scratch/huggingface"},
                                {"name": "HF_HUB_OFFLINE", "value": "1"},
                                secret("AWS_ACCESS_KEY_ID"),
                                secret("AWS_SECRET_ACCESS_KEY"),
                                secret("AWS_SESSION_TOKEN"),
                                secret("PROFILE_REDIS", optional=True),
                            ],
                            "resources": {"requests": {}, "limits": {}},
                            "terminationMessagePolicy": "File",
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "readOnlyRootFilesystem": True,
                                "runAsNonRoot": True,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
                        }
                    ],
                    "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "4Gi"}}],
                },
            },
        },
    }


def test_what_the_platform_sets_reaches_the_job() -> None:
    train = StageJob(
        image="train",
        gpus=2,
        resources=Resources(requests={"memory": "8Gi"}, limits={"memory": "9Gi"}),
        node_selector={"gpu": "h100"},
        tolerations=[Toleration(key="nvidia.com/gpu", operator="Exists")],
        runtime_class_name="nvidia",
        priority_class_name="low",
        env={"OMP_NUM_THREADS": "2"},
    )
    jobs = CONFIG.jobs.model_copy(update={"train": train, "models_claim": "models", "image_pull_secrets": ["registry"]})
    config = CONFIG.model_copy(update={"jobs": jobs})
    order = TrainOrder(
        request=ORDER.request, digest="d" * 16, output="o/", dataset="d/report.json", parameters=config.training
    )
    job = manifests.job(CreateJob(Stage.TRAIN, "minji-train-dddddddd", order, ()), KEY, "u1", config, redis=False)
    pod = job["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["resources"] == {
        "requests": {"memory": "8Gi"},
        "limits": {"memory": "9Gi", "nvidia.com/gpu": "2"},
    }
    assert pod["nodeSelector"] == {"gpu": "h100"}
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    assert (pod["runtimeClassName"], pod["priorityClassName"]) == ("nvidia", "low")
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["volumes"][1] == {"name": "models", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}}
    assert container["volumeMounts"][1] == {"name": "models", "mountPath": "/models", "readOnly": True}
    assert {"name": "OMP_NUM_THREADS", "value": "2"} in container["env"]
    assert not [entry for entry in container["env"] if entry["name"] == "PROFILE_REDIS"]


def test_models_may_be_an_image_that_the_node_mounts() -> None:
    jobs = CONFIG.jobs.model_copy(
        update={"models_claim": "", "models_image": "r.example.com/models@sha256:" + "a" * 64}
    )
    config = CONFIG.model_copy(update={"jobs": jobs})
    pod = manifests.job(CreateJob(Stage.PREPROCESS, "minji-preprocess", ORDER, ()), KEY, "u1", config, redis=False)[
        "spec"
    ]["template"]["spec"]
    assert pod["volumes"][1] == {
        "name": "models",
        "image": {"reference": "r.example.com/models@sha256:" + "a" * 64, "pullPolicy": "IfNotPresent"},
    }
    assert pod["containers"][0]["volumeMounts"][1] == {"name": "models", "mountPath": "/models", "readOnly": True}
    with pytest.raises(ValidationError, match="modelsClaim and modelsImage are both set"):
        JobsConfig.model_validate({**CONFIG.jobs.document(), "modelsClaim": "a", "modelsImage": "b"})


CA_ENV = {"name": "SSL_CERT_FILE", "value": "/etc/store-ca/ca.crt"}
CA_VOLUME = {"name": "store-ca", "configMap": {"name": "store-ca"}}
CA_MOUNT = {"name": "store-ca", "mountPath": "/etc/store-ca", "readOnly": True}
ON_NODES_WITH_DISKS = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]
        }
    }
}


def test_what_only_the_platform_knows_of_is_added_and_nothing_else_changes() -> None:
    """Labels of the platform and of the stage, a private CA, where it may run: the rest of the document stays."""
    plain = manifests.job(ACTION, KEY, "u1", CONFIG, redis=True)
    preprocess = StageJob(
        image="preprocess",
        labels={"team": "portraits", "cost": "stage", "profilestudio.io/request": "stolen"},
        annotations={"sidecar.istio.io/inject": "true", "profilestudio.io/digest": "stolen"},
        affinity=ON_NODES_WITH_DISKS,
        extra_env=[CA_ENV],
        extra_volumes=[CA_VOLUME],
        extra_volume_mounts=[CA_MOUNT],
    )
    jobs = CONFIG.jobs.model_copy(update={"preprocess": preprocess, "labels": {"cost": "all", "site": "seoul"}})
    made = manifests.job(ACTION, KEY, "u1", CONFIG.model_copy(update={"jobs": jobs}), redis=True)

    marks = {"cost": "stage", "site": "seoul", "team": "portraits", **LABELS}
    (container,) = plain["spec"]["template"]["spec"]["containers"]
    container = {
        **container,
        "env": [*container["env"], CA_ENV],
        "volumeMounts": [*container["volumeMounts"], CA_MOUNT],
    }
    pod = plain["spec"]["template"]["spec"]
    pod = {
        **pod,
        "containers": [container],
        "volumes": [*pod["volumes"], CA_VOLUME],
        "affinity": ON_NODES_WITH_DISKS,
    }
    notes = {**NO_SIDECARS, **preprocess.annotations}
    template = {"metadata": {"labels": marks, "annotations": notes}, "spec": pod}
    assert made == {
        **plain,
        "metadata": {
            **plain["metadata"],
            "labels": marks,
            "annotations": {**notes, "profilestudio.io/digest": "0123456789abcdef"},
        },
        "spec": {**plain["spec"], "template": template},
    }


def test_the_longest_name_fits_a_host_name() -> None:
    from profile_contract.request import NAME_LENGTH

    assert len(f"{'n' * NAME_LENGTH}-{Stage.PREPROCESS}-01234567") <= 63


def test_the_secret_of_the_credentials_is_owned_by_the_request() -> None:
    assert manifests.credentials(KEY, "u1", Stage.TRAIN, {"AWS_ACCESS_KEY_ID": "abc", "PROFILE_REDIS": ""}) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "minji-train-u1",
            "namespace": "hr",
            "labels": {
                "app.kubernetes.io/name": "profile-studio",
                "app.kubernetes.io/component": "credentials",
                "app.kubernetes.io/instance": "minji",
                "app.kubernetes.io/managed-by": "profile-operator",
                "profilestudio.io/request": "minji",
            },
            "ownerReferences": [OWNER],
        },
        "type": "Opaque",
        "data": {"AWS_ACCESS_KEY_ID": "YWJj"},
    }


def test_an_event() -> None:
    note = EventNote(Reason.NO_PHOTOS, "no photos", warning=True)
    document = manifests.event(KEY, "u1", note, at="2026-01-02T03:04:05Z", name="minji.1")
    assert document["involvedObject"] == {
        "apiVersion": "profilestudio.io/v1alpha1",
        "kind": "ProfileRequest",
        "name": "minji",
        "namespace": "hr",
        "uid": "u1",
    }
    assert (document["type"], document["reason"], document["message"]) == ("Warning", "NoPhotos", "no photos")


def test_the_job_that_finishes_alone_gets_the_key_by_which_portraits_are_signed() -> None:
    finish = FinishConfig(signature=SignatureConfig(existing_secret="portraits"))
    config = CONFIG.model_copy(update={"finish": finish})

    def pod(stage: Stage, config: OperatorConfig) -> dict[str, Any]:
        job = manifests.job(CreateJob(stage, "minji-job", ORDER, ()), KEY, "u1", config, redis=False)
        spec: dict[str, Any] = job["spec"]["template"]["spec"]
        return spec

    signing, bare = pod(Stage.FINISH, config), pod(Stage.FINISH, CONFIG)
    assert {"name": "signature", "secret": {"secretName": "portraits", "defaultMode": 0o440}} in signing["volumes"]
    (container,), (other,) = signing["containers"], bare["containers"]
    assert {"name": "signature", "mountPath": "/signature", "readOnly": True} in container["volumeMounts"]
    assert {"name": "PROFILE_SIGNATURE", "value": "/signature"} in container["env"]
    assert "signature" not in json.dumps(bare).lower()
    assert len(other["env"]) == len(container["env"]) - 1
    for stage in (Stage.PREPROCESS, Stage.TRAIN):
        assert pod(stage, config) == pod(stage, CONFIG)
