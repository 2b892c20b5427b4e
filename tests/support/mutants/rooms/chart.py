"""Bugs that the tests of chart must see."""

MUTANTS = (
    (
        "H01",
        "charts/profile-studio/templates/rbac.yaml",
        "  resources: [profilerequests, profilestyles]\n  verbs: [get, list, watch]\n",
        "  resources: [profilerequests, profilestyles]\n  verbs: [get, list, watch, create, delete]\n",
        "viewers may create and delete requests",
    ),
    (
        "H02",
        "charts/profile-studio/templates/networkpolicies.yaml",
        (
            "  policyTypes: [Ingress, Egress]\n"
            "  ingress:\n"
            "  - from:\n"
            "    - podSelector:\n"
            "        matchLabels:\n"
            '          {{- include "profile-studio.selector" $operator'
        ),
        (
            "  policyTypes: [Ingress]\n"
            "  ingress:\n"
            "  - from:\n"
            "    - podSelector:\n"
            "        matchLabels:\n"
            '          {{- include "profile-studio.selector" $operator'
        ),
        "predictor may go anywhere",
    ),
    (
        "H03",
        "charts/profile-studio/templates/web.yaml",
        "  verbs: [get, list, create, patch, delete]",
        "  verbs: [get, list, create, patch, delete, deletecollection, update]",
        "page may do more",
    ),
    (
        "H04",
        "charts/profile-studio/templates/crds.yaml",
        "{{- if $.Values.crds.keep }}",
        "{{- if not $.Values.crds.keep }}",
        "uninstalling deletes the CRDs, and every request",
    ),
    (
        "H05",
        "charts/profile-studio/templates/predictor.yaml",
        "    maxReplicas: {{ .Values.predictor.replicas }}",
        "    maxReplicas: 1",
        "predictor.replicas is capped at 1",
    ),
    (
        "H06",
        "charts/profile-studio/templates/_helpers.tpl",
        "credentialsSeconds: {{ int .Values.jobs.credentialsSeconds }}",
        "credentialsSeconds: 21600",
        "jobs.credentialsSeconds ignored",
    ),
    (
        "H07",
        "charts/profile-studio/templates/operator.yaml",
        ("        checksum/config: {{ $config | sha256sum }}\n"),
        "",
        "operator not restarted when its configuration changes",
    ),
    (
        "H08",
        "charts/profile-studio/templates/web.yaml",
        ("  {{- with .Values.networkPolicies.webFrom }}\n  - from:\n      {{- toYaml . | nindent 6 }}\n    ports:"),
        ("  {{- with .Values.networkPolicies.webFrom }}\n  - ports:"),
        "anybody may reach the page past its proxy",
    ),
)
