"""Bugs that the tests of chart must see."""

MUTANTS = (
    (
        "H01",
        "charts/profile-studio/templates/rbac.yaml",
        "  resources: [profilerequests, profilestyles, clusterprofilestyles]\n  verbs: [get, list, watch]\n",
        "  resources: [profilerequests, profilestyles, clusterprofilestyles]\n  verbs: [get, list, watch, create, delete]\n",
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
        "maxReplicas: {{ ternary $scaling.maxReplicas .Values.predictor.replicas $scaling.enabled }}",
        "maxReplicas: {{ ternary $scaling.maxReplicas 1 $scaling.enabled }}",
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
    (
        "H09",
        "charts/profile-studio/templates/rbac.yaml",
        "if .Values.rbac.aggregate",
        "if true",
        "editors of every namespace are given GPU time",
    ),
    (
        "H10",
        "charts/profile-studio/templates/styles.yaml",
        'dict "helm.sh/resource-policy" "keep"',
        "dict",
        "a rollback deletes the styles",
    ),
    (
        "H11",
        "charts/profile-studio/templates/_helpers.tpl",
        'printf "%s-%s" .Release.Namespace (include "profile-studio.fullname" .)',
        'include "profile-studio.fullname" .',
        "two teams' releases share cluster-wide names",
    ),
    (
        "H12",
        "charts/profile-studio/templates/uninstall.yaml",
        '"pre-delete"',
        '"post-delete"',
        "what holds a release is asked after it is gone",
    ),
    (
        "H13",
        "charts/profile-studio/templates/networkpolicies.yaml",
        "except: [169.254.0.0/16, 100.100.100.200/32, 168.63.129.16/32]",
        "except: []",
        "the metadata service can be reached",
    ),
    (
        "H14",
        "charts/profile-studio/templates/networkpolicies.yaml",
        '"to" .Values.networkPolicies.egress.storeTo',
        '"to" list',
        "the store's address is not heeded",
    ),
    (
        "H15",
        "charts/profile-studio/templates/_helpers.tpl",
        "activeDeadlineSeconds 600",
        "activeDeadlineSeconds 60",
        "credentials end before the stage does",
    ),
    (
        "H16",
        "charts/profile-studio/templates/_helpers.tpl",
        "gt $rank (int .Values.predictor.maximumRank)",
        "gt $rank 128",
        "adapters are trained that cannot be served",
    ),
    (
        "H17",
        "operator/profile_operator/release/end.py",
        "FINALIZER in request.metadata.finalizers",
        "not request.metadata.finalizers",
        "requests that wait for nobody hold a release",
    ),
    (
        "H18",
        "tools/profile_values/schema.py",
        'plain["additionalProperties"] = False',
        'plain["additionalProperties"] = True',
        "environment variables of any name are taken by the chart, and refused by the operator",
    ),
    (
        "H19",
        "charts/profile-studio/templates/_recipe.tpl",
        "list (get $recipe .section) (get .root.Values .section)",
        "list (get .root.Values .section) (get $recipe .section)",
        "a recipe wins over the platform's values",
    ),
    (
        "H20",
        "charts/profile-studio/templates/_recipe.tpl",
        'if not (kindIs "invalid" $value)',
        "if $value",
        "zero and an empty name in the values are taken for nothing",
    ),
    (
        "H21",
        "charts/profile-studio/templates/_recipe.tpl",
        '(printf "recipes/%s.yaml" .Values.training.baseModel)) -}}\n{{- end -}}\n{{- end -}}\n\n{{/* Whether',
        '"recipes/studio-mini.yaml") -}}\n{{- end -}}\n{{- end -}}\n\n{{/* Whether',
        "every base model is drawn with as the small one is",
    ),
    (
        "SV14",
        "charts/profile-studio/templates/predictor.yaml",
        "rollingUpdate: {maxSurge: 1, maxUnavailable: 0}",
        "rollingUpdate: {maxSurge: 0, maxUnavailable: 1}",
        "a rolling update leaves a gap",
    ),
)
