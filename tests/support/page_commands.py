"""The commands that the pages show, and who runs each: tests/cluster/test_docs.py, another test, or nobody here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from profile_sandbox.paths import CLONE

PAGES = [CLONE / "README.md", *sorted(CLONE.glob("docs/**/*.md")), *sorted(CLONE.glob("*/README.md"))]
# The random model draws nobody: with any floor, nothing would be delivered.
SMALL = "--candidates 2 --portraits 1 --minimum-likeness 0"
SMALL_SPEC = '{"spec": {"candidates": 2, "portraits": 1, "minimumLikeness": 0, "training": {"steps": 4, "rank": 4}}}'
PROGRAMS = r"(?:make|kubectl|helm|mc|hf|docker|for|cosign|curl|eval|export|python|PYTHONPATH=|\.venv/)"

# In the order of the story. What is added to a line is for a machine without a GPU, or for a cluster in which the
# product is there already.
STORY = {
    "kubectl create namespace hr": "",
    "kubectl apply -k examples/gitops": "--dry-run=server",
    "kubectl create namespace profile-system": "--dry-run=client",
    "kubectl -n profile-system create secret generic profile-store --from-literal=accessKey=profile-operator "
    '--from-literal=secretKey="$SECRET"': "--dry-run=client",
    "kubectl -n profile-system create secret generic profile-history-store "
    '--from-literal=accessKey=profile-history --from-literal=secretKey="$READER"': "--dry-run=client",
    "kubectl -n profile-system create secret generic profile-redis "
    "--from-literal=url=redis://:PASSWORD@redis.data.svc:6379/0": "--dry-run=client",
    "kubectl -n profile-system create secret generic profile-database "
    "--from-literal=dsn=postgresql://profile:PASSWORD@postgres.data.svc/profile": "--dry-run=client",
    "kubectl -n profile-system create secret generic profile-predictor-token "
    '--from-literal=token="$(openssl rand -hex 32)"': "--dry-run=client",
    "kubectl -n profile-system create secret generic page-proxy "
    "--from-literal=secret=$(openssl rand -hex 24)": "--dry-run=client",
    "kubectl -n portraits create quota requests --hard=count/profilerequests.profilestudio.io=200": "--dry-run=client",
    "helm upgrade profile-studio charts/profile-studio -n profile-system -f values.yaml": "--wait",
    "kubectl -n profile-system wait --for=condition=Ready inferenceservice/profile-predictor --timeout=15m": "",
    "helm -n profile-system test profile-studio --logs": "",
    "kubectl -n profile-system get deployments,inferenceservices": "",
    "kubectl get clusterprofilestyles": "",
    "kubectl get profilestyles": "",
    "kubectl -n hr get profilestyles": "",
    "kubectl -n profile-system get lease profile-studio-operator": "",
    "kubectl -n profile-system get lease profile-studio-operator -o yaml": "",
    "kubectl -n profile-system logs -l app.kubernetes.io/component=operator --tail=50": "",
    "kubectl get pods -A": "",
    "helm show values charts/profile-studio": "",
    "kubectl explain preq.spec": "",
    "kubectl -n profile-system logs deployment/profile-studio-operator": "",
    "kubectl -n profile-system logs deployment/profile-studio-operator --tail=50": "",
    "kubectl -n profile-system logs deployment/profile-studio-history --tail=50": "",
    "kubectl -n profile-system get pods -l app.kubernetes.io/component=operator": "",
    "kubectl -n profile-system get inferenceservices,pods": "",
    "kubectl -n profile-system logs -l serving.kserve.io/inferenceservice=profile-predictor -c kserve-container "
    "--tail=50": "",
    "kubectl -n profile-system describe inferenceservice profile-predictor": "",
    "kubectl -n profile-system get secret profile-store": "",
    "kubectl -n demo get preq": "",
    "kubectl -n demo get events --field-selector involvedObject.kind=ProfileRequest": "",
    "kubectl apply -f examples/style.yaml": "--dry-run=server",
    "kubectl apply -f examples/style-adapter.yaml": "--dry-run=server",
    "kubectl get csadapter,sadapter -A": "",
    "kubectl apply -f examples/learnt-cluster-style-adapter.yaml": "--dry-run=server",
    "kubectl get csadapter -o wide": "",
    "kubectl get sadapter,csadapter -A -o wide": "",
    "kubectl profile doctor": "",
    "kubectl profile styles": "",
    "kubectl -n hr apply -f examples/request.yaml": f"&& kubectl -n hr patch preq minji --type=merge -p '{SMALL_SPEC}'",
    "kubectl -n hr wait --for=jsonpath='{.status.area}' preq/minji": "",
    "kubectl -n hr get preq -w": "",
    "kubectl -n hr wait --for=condition=Ready preq/minji --timeout=2h": "",
    "kubectl -n hr describe preq minji": "",
    "kubectl -n NAMESPACE describe preq NAME": "",
    "kubectl describe preq NAME": "",
    "kubectl -n hr describe pod -l profilestudio.io/request=minji": "",
    "kubectl get preq --all-namespaces -o custom-columns='NAMESPACE:.metadata.namespace,NAME:.metadata.name,"
    "FAILED:.status.stages.*.failure.attempt,WHY:.status.stages.*.failure.message'": "",
    "kubectl get jobs --all-namespaces -l profilestudio.io/stage": "",
    "kubectl get jobs --all-namespaces -l profilestudio.io/stage=train": "",
    "kubectl -n hr get events --field-selector involvedObject.kind=ProfileRequest": "",
    # The plug-in makes a new one, and replaces none.
    "kubectl get preq --all-namespaces": "&& kubectl -n hr delete preq minji",
    "kubectl profile create minji photos/ --noun woman --style studio-warm --layouts square,employee-card "
    "--watch": SMALL,
    "kubectl profile list": "",
    "kubectl profile photos minji": "",
    "kubectl profile portraits minji": "",
    "kubectl profile portraits minji --out portraits/": "",
    "kubectl -n profile-system exec deployment/profile-studio-history -- python -m profile_history rebuild": "",
    'kubectl annotate preq NAME profilestudio.io/retry="$(date +%s)" --overwrite': "",
    "kubectl profile delete minji --wait": "",
}
# Lines that begin like this are run by something else, or by nobody here.
ELSEWHERE = {
    "make ": "what CI and people run; `make test` runs this",
    ".venv/bin/profile-studio run ": "tests/e2e/test_folder_runner.py",
    ".venv/bin/pytest ": "runs this",
    ".venv/bin/people-python ": "renders for hours; tests/unit/workshop/test_people.py runs its parts",
    ".venv/bin/python -m profile_models ": "tests/unit/models/test_install.py",
    ".venv/bin/python -m profile_workshop.taught_look ": "trains for an hour; tests/unit/workshop/test_taught_look.py",
    ".venv/bin/python -m profile_workshop ": "trains for hours; tests/unit/workshop/ runs its parts",
    ".venv/bin/python tests/support/plugin_pictures.py": "tests/unit/repository/test_plugin_pictures.py",
    ".venv/bin/python tests/support/page_pictures.py ": "people run it, and look at what came",
    "python -c 'import sys, torch, safetensors.torch ": "tests/networks/test_upscaling.py",
    "python -m profile_sandbox ": "tests/cluster/test_sandbox.py, and whoever started this cluster",
    'eval "$(.venv/bin/python -m profile_sandbox env)"': "tests/cluster/test_sandbox.py",
    "kubectl -n demo patch preq minji ": "`make demo` made it; tests/e2e/test_cluster_request.py adds a style",
    "kubectl -n demo wait --for=condition=Ready preq/minji ": "`make demo` made it",
    'eval "$(python -m profile_sandbox env)"': "tests/cluster/test_sandbox.py",
    "curl ": "tests/cluster/test_predictor_grants.py asks the predictor",
    "export PROFILE_STORE=": "`shell` below sets them",
    "helm install ": "tests/cluster/test_release.py, where there is none",
    "helm template RELEASE ": "tests/chart/test_rights.py",
    # docs/install.md and docs/uninstall.md from top to bottom.
    **dict.fromkeys(
        (
            "helm upgrade --install ",
            "helm uninstall ",
            "helm history ",
            "helm rollback ",
            "kubectl create namespace profile-models",
            "kubectl apply -f examples/models/",
            "kubectl -n profile-models ",
            "kubectl -n hr create rolebinding ",
            "kubectl -n hr delete preq --all",
            'kubectl -n hr patch preq minji --type=merge -p \'{"metadata"',
            "PYTHONPATH=models:runtime:crds python3.11 ",
        ),
        "tests/packaging/test_install_page.py",
    ),
    "kubectl -n profile-system delete secret profile-studio-web-owner": "it would be gone; tests/cluster/test_web.py",
    "kubectl label --overwrite ": "tests/cluster/test_lifecycle.py",
    "kubectl annotate --overwrite ": "tests/cluster/test_lifecycle.py",
    "kubectl delete crd ": "every request of the cluster would be gone",
    "kubectl krew ": "tests/packaging/test_krew.py, by krew itself",
    "kubectl profile completion --install": "tests/packaging/test_krew.py: it writes into the folder of the program",
    "kubectl profile add ": "tests/cluster/test_plugin.py",
    "kubectl profile remove ": "tests/cluster/test_plugin.py",
    "kubectl profile create minji photos/ --style retouch-warm ": "tests/unit/cli/test_create.py",
    "kubectl -n hr describe $(kubectl profile list ": "tests/unit/cli/test_looks.py",
    "kubectl -n hr get sadapter": "tests/cluster/test_looks.py, whose looks are learnt",
    "kubectl -n hr apply -f examples/learnt-style-adapter.yaml": "tests/cluster/test_looks.py learns one of its own",
    ".venv/bin/profile-studio serve ": "tests/unit/cli/test_serve.py, tests/e2e/test_page_on_folder.py",
    "kubectl profile replace ": "tests/unit/cli/test_changes.py",
    "kubectl profile refresh ": "tests/unit/cli/test_refresh.py",
    "kubectl -n hr annotate preq minji profilestudio.io/abandon=": "tests/cluster/test_outages.py",
    "kubectl -n hr annotate preq minji profilestudio.io/installation=": "tests/cluster/test_attempts.py",
    "kubectl -n profile-system logs -l app.kubernetes.io/component=operator --previous ": "nothing has crashed",
    "kubectl -n profile-system logs -l app.kubernetes.io/component=operator | grep ": "the sweep may not have been yet",
    "kubectl -n profile-system logs deployment/profile-studio-operator | grep ": "the sweep may not have been yet",
    "kubectl get preq -A -o json | jq ": "jq is not here",
    "kubectl get profilestyles -o json | jq ": "jq is not here",
    "kubectl apply -f styles.json": "of an upgrade from 0.1.0, by jq, which is not here",
    "kubectl -n argocd ": "Argo CD is not here; tests/chart/test_gitops.py runs its health checks",
    "mc ": "MinIO's client is not here",
    "hf ": "no hub is reached from here",
    "for image in ": "Docker is not here; `make test-images` builds them",
    "docker ": "Docker is not here",
    "cosign ": "there is no release to verify yet",
}
# Words about a command, and no whole one.
WORDS = {
    "helm install",
    "helm rollback",
    "helm template",
    "helm uninstall",
    "helm --wait",
    "helm test",
    "helm upgrade",
    "helm upgrade --install",
    "kubectl apply -k",
    "kubectl describe",
    "kubectl delete",
    "kubectl describe preq",
    "kubectl logs",
    "kubectl profile",
    "kubectl wait",
    "kubectl wait --for=condition=Ready",
}


def lines(page: Path) -> Iterator[str]:
    """The commands in a page's indented blocks, without comments, and whole ones of kubectl and helm in its text."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    inline = [line for line in re.findall(r"`((?:kubectl|helm) [^`\n]+)`", text) if line not in WORDS]
    # The plug-in's words in the text are taken by its parser: tests/unit/repository/test_docs_commands.py.
    inline = [line for line in inline if not line.startswith("kubectl profile ")]
    for line in [*re.findall(rf"^ {{4,6}}({PROGRAMS}.*)$", text, re.MULTILINE), *inline]:
        yield re.sub(r"\s+#.*$", "", line).strip()
