{{- define "profile-studio.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "profile-studio.fullname" -}}
{{- $name := include "profile-studio.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Names of objects that no namespace holds: two teams may give their releases the same name. */}}
{{- define "profile-studio.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "profile-studio.fullname" .) -}}
{{- end -}}

{{/*
Whether a cluster-wide object stands that another release, or somebody by hand, has made: not empty then. Such an object
is left to whoever owns it, for Helm refuses to share one. Where no cluster is asked (`helm template`), none stands.
Call with (dict "root" $ "apiVersion" ... "kind" ... "name" ...).
*/}}
{{- define "profile-studio.foreign" -}}
{{- with lookup .apiVersion .kind "" .name -}}
{{- $notes := default dict .metadata.annotations -}}
{{- $owner := printf "%s/%s" (get $notes "meta.helm.sh/release-namespace") (get $notes "meta.helm.sh/release-name") -}}
{{- $managed := eq (get (default dict .metadata.labels) "app.kubernetes.io/managed-by") "Helm" -}}
{{- if or (not $managed) (ne $owner (printf "%s/%s" $.root.Release.Namespace $.root.Release.Name)) -}}
{{- $managed | ternary $owner "somebody" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The namespaces whose requests are served, as JSON: those that are named, else the release's own; none: all of them. */}}
{{- define "profile-studio.watched" -}}
{{- if .Values.clusterWide -}}
[]
{{- else -}}
{{- toJson (default (list .Release.Namespace) .Values.watchNamespaces) -}}
{{- end -}}
{{- end -}}

{{/* How this release is called in the status of every request that it serves. */}}
{{- define "profile-studio.installation" -}}
{{- printf "%s/%s" .Release.Namespace .Release.Name -}}
{{- end -}}

{{/*
Namespaces that another release serves already: refused, for two operators must not share one. Where no cluster is asked
(`helm template`) the operators find out, and the second keeps off.
*/}}
{{- define "profile-studio.refuseOverlap" -}}
{{- if lookup "v1" "Namespace" "" "kube-system" -}}
{{- $root := . -}}
{{- $watched := include "profile-studio.watched" . | fromJsonArray -}}
{{- $known := append .Values.installation.formerly (include "profile-studio.installation" .) -}}
{{- range $kind := list "ClusterRoleBinding" "RoleBinding" -}}
{{- range (lookup "rbac.authorization.k8s.io/v1" $kind "" "").items -}}
{{- $labels := default dict .metadata.labels -}}
{{- $notes := default dict .metadata.annotations -}}
{{- $release := printf "%s/%s" (get $notes "meta.helm.sh/release-namespace") (get $notes "meta.helm.sh/release-name") -}}
{{- $operator := and (eq (get $labels "app.kubernetes.io/part-of") "profile-studio") (eq (get $labels "app.kubernetes.io/component") "operator") -}}
{{- $everywhere := or (eq $kind "ClusterRoleBinding") $root.Values.clusterWide -}}
{{- if and $operator (hasSuffix "-requests" .metadata.name) (not (has $release $known)) (or $everywhere (has .metadata.namespace $watched)) -}}
{{- $place := eq $kind "ClusterRoleBinding" | ternary "every namespace" (printf "the namespace %s" (default "" .metadata.namespace)) -}}
{{- fail (printf "the release %s serves %s already, and two operators must not share one: name other watchNamespaces, or, if that release is gone, name it in installation.formerly" $release $place) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "profile-studio.serviceAccount" -}}
{{- default (include "profile-studio.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* Labels of every object; call with (dict "root" $ "component" "operator"). */}}
{{- define "profile-studio.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: profile-studio
{{ include "profile-studio.selector" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "profile-studio.selector" -}}
app.kubernetes.io/name: {{ include "profile-studio.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* An image by name; call with (dict "root" $ "name" "train"). */}}
{{- define "profile-studio.image" -}}
{{- $images := .root.Values.images -}}
{{- $registry := $images.registry -}}
{{- with .root.Values.global.imageRegistry -}}
{{- $registry = regexReplaceAllLiteral "^[^/]+" $registry . -}}
{{- end -}}
{{- $digest := get $images.digests .name -}}
{{- if $digest -}}
{{- printf "%s/%s@%s" $registry .name $digest -}}
{{- else -}}
{{- printf "%s/%s:%s" $registry .name (default .root.Chart.AppVersion $images.tag) -}}
{{- end -}}
{{- end -}}

{{/* What the restricted Pod Security Standard asks of a pod. */}}
{{- define "profile-studio.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "profile-studio.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* How much of it may be away at once, of a PodDisruptionBudget's spec: one of the two. */}}
{{- define "profile-studio.budget" -}}
{{- if ne (toString .minAvailable) "" -}}
minAvailable: {{ .minAvailable }}
{{- else -}}
maxUnavailable: {{ .maxUnavailable }}
{{- end -}}
{{- end -}}

{{/* One stage's Job for the operator's configuration; call with (dict "root" $ "stage" "train" "image" "train"). */}}
{{- define "profile-studio.job" -}}
{{- $job := deepCopy (get .root.Values.jobs .stage) -}}
{{- $_ := set $job "image" (include "profile-studio.image" (dict "root" .root "name" .image)) -}}
{{- $_ := set $job "imagePullPolicy" .root.Values.images.pullPolicy -}}
{{- $_ := set $job "gpus" (.root.Values.gpu.enabled | ternary (default 0 $job.gpus) 0) -}}
{{- $_ := set $job "gpuResource" .root.Values.gpu.resource -}}
{{- with include "profile-studio.weightsSha256" .root }}
{{- $_ := set $job "env" (mergeOverwrite (dict "PROFILE_WEIGHTS_SHA256" .) (default (dict) $job.env)) -}}
{{- end }}
{{- with include "profile-studio.logFormat" .root }}
{{- $_ := set $job "env" (mergeOverwrite (dict "PROFILE_LOG_FORMAT" .) (default (dict) $job.env)) -}}
{{- end }}
{{- toYaml $job -}}
{{- end -}}

{{/* logging.format as the programs read it, empty where it is their default. */}}
{{- define "profile-studio.logFormat" -}}
{{- with (default (dict) .Values.logging).format }}{{ if ne . "text" }}{{ . }}{{ end }}{{ end -}}
{{- end -}}

{{/* Where spans go, as OpenTelemetry's libraries read it; nothing where none are wanted. */}}
{{- define "profile-studio.tracing" -}}
{{- $tracing := default (dict) .Values.tracing }}
{{- with $tracing.endpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- with $tracing.existingSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom: {secretKeyRef: {name: {{ . }}, key: headers}}
{{- end }}
{{- end }}
{{- end -}}

{{/* models.sha256 as stages and predictor read it, empty where nothing is named. */}}
{{- define "profile-studio.weightsSha256" -}}
{{- $entries := list }}
{{- range $name, $sha256 := .Values.models.sha256 }}
{{- $entries = append $entries (printf "%s=%s" $name $sha256) }}
{{- end }}
{{- join "," $entries -}}
{{- end -}}

{{/* Values that are sound one by one and make no sense together: refused before anything is installed. */}}
{{- define "profile-studio.refuseContradictions" -}}
{{- if and .Values.clusterWide .Values.watchNamespaces -}}
{{- fail "clusterWide serves every namespace, and watchNamespaces names some: choose one of the two" -}}
{{- end -}}
{{- $jobs := .Values.jobs -}}
{{- range $stage := list "preprocess" "train" "finish" -}}
{{- $job := get $jobs $stage -}}
{{- $least := add $job.activeDeadlineSeconds 600 -}}
{{- if lt (int $jobs.credentialsSeconds) (int $least) -}}
{{- fail (printf "jobs.credentialsSeconds is %d: it must be at least %d, jobs.%s.activeDeadlineSeconds (%d) and 600 more, or a Job outlives its credentials" (int $jobs.credentialsSeconds) (int $least) $stage (int $job.activeDeadlineSeconds)) -}}
{{- end -}}
{{- if and (not $.Values.gpu.enabled) (gt (int (default 0 $job.gpus)) (eq $stage "train" | ternary 1 0)) -}}
{{- fail (printf "jobs.%s.gpus is %d, but gpu.enabled is false: switch GPUs on, or ask for none" $stage (int $job.gpus)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.predictor.enabled (not .Values.gpu.enabled) (gt (int .Values.predictor.gpus) 1) -}}
{{- fail (printf "predictor.gpus is %d, but gpu.enabled is false: switch GPUs on, or ask for none" (int .Values.predictor.gpus)) -}}
{{- end -}}
{{- $training := include "profile-studio.resolved" (dict "root" . "section" "training") | fromYaml -}}
{{- $rank := int (default 32 $training.rank) -}}
{{- if and .Values.predictor.enabled (gt $rank (int .Values.predictor.maximumRank)) -}}
{{- fail (printf "training.rank is %d, but the predictor takes adapters up to predictor.maximumRank %d: raise that, or lower the rank" $rank (int .Values.predictor.maximumRank)) -}}
{{- end -}}
{{- $fewest := int (default 5 .Values.preprocess.minimumPhotos) -}}
{{- $most := int (default 20 .Values.preprocess.maximumPhotos) -}}
{{- if gt $fewest $most -}}
{{- fail (printf "preprocess.minimumPhotos is %d and preprocess.maximumPhotos %d: no request could have enough photos" $fewest $most) -}}
{{- end -}}
{{- $call := int (default 600 .Values.generation.callSeconds) -}}
{{- $grant := int (default 660 .Values.generation.grantSeconds) -}}
{{- if lt $grant $call -}}
{{- fail (printf "generation.grantSeconds is %d and generation.callSeconds %d: the predictor's leave to write would end before its answer is due" $grant $call) -}}
{{- end -}}
{{- with .Values.web -}}
{{- if and .enabled (gt (int .limits.fewestPhotos) (int .limits.mostPhotos)) -}}
{{- fail (printf "web.limits.fewestPhotos is %d and web.limits.mostPhotos %d: nobody could send enough photos" (int .limits.fewestPhotos) (int .limits.mostPhotos)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Namespaces in which the release has objects and that do not exist: refused by name, or Helm would notice halfway and leave
a failed release. Where no cluster is asked (`helm template`) all of them may exist; the release's own, Helm may create.
*/}}
{{- define "profile-studio.refuseMissingNamespaces" -}}
{{- if lookup "v1" "Namespace" "" "kube-system" -}}
{{- $named := dict "watchNamespaces" .Values.watchNamespaces -}}
{{- if .Values.networkPolicies.enabled -}}
{{- $_ := set $named "networkPolicies.requestNamespaces" .Values.networkPolicies.requestNamespaces -}}
{{- end -}}
{{- if .Values.web.enabled -}}
{{- $visitors := .Values.web.namespaces -}}
{{- $_ := set $named "web.namespaces" (compact (concat (values $visitors.byUser) (values $visitors.byGroup) (list $visitors.default))) -}}
{{- end -}}
{{- $missing := list -}}
{{- range $value, $namespaces := $named -}}
{{- range uniq $namespaces -}}
{{- if and (ne . $.Release.Namespace) (not (lookup "v1" "Namespace" "" .)) -}}
{{- $missing = append $missing (printf "%s names the namespace %s, which does not exist: kubectl create namespace %s" $value . .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $missing -}}
{{- fail (join "; " .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* profile_operator.config.OperatorConfig, as YAML. */}}
{{- define "profile-studio.operatorConfig" -}}
{{- include "profile-studio.refuseContradictions" . -}}
{{- include "profile-studio.refuseMissingNamespaces" . -}}
{{- include "profile-studio.refuseOverlap" . -}}
store:
  endpoint: {{ .Values.store.endpoint | quote }}
  bucket: {{ .Values.store.bucket | quote }}
  region: {{ .Values.store.region | quote }}
  secure: {{ .Values.store.secure }}
  {{- with .Values.store.prefix }}
  prefix: {{ . | quote }}
  {{- end }}
jobs:
  imagePullSecrets: {{ toJson .Values.images.pullSecrets }}
  {{- with .Values.commonLabels }}
  labels: {{ toJson . }}
  {{- end }}
  modelsClaim: {{ .Values.models.existingClaim | quote }}
  {{- with .Values.models.image }}
  {{- if $.Values.models.existingClaim }}
  {{- fail "models.existingClaim and models.image are both set, and one place holds the models: keep one" }}
  {{- end }}
  modelsImage: {{ . | quote }}
  {{- end }}
  credentialsSeconds: {{ int .Values.jobs.credentialsSeconds }}
  ttlSeconds: {{ int .Values.jobs.ttlSeconds }}
  annotations: {{ toJson .Values.jobs.annotations }}
  preprocess:
    {{- include "profile-studio.job" (dict "root" . "stage" "preprocess" "image" "preprocess") | nindent 4 }}
  train:
    {{- include "profile-studio.job" (dict "root" . "stage" "train" "image" "train") | nindent 4 }}
  finish:
    {{- include "profile-studio.job" (dict "root" . "stage" "finish" "image" "finish") | nindent 4 }}
{{- $recipe := include "profile-studio.recipe" . | fromYaml }}
recipe:
  {{- toYaml $recipe | nindent 2 }}
training:
  {{- include "profile-studio.resolved" (dict "root" . "section" "training") | nindent 2 }}
preprocess:
  {{- include "profile-studio.resolved" (dict "root" . "section" "preprocess") | nindent 2 }}
admission:
  {{- toYaml .Values.admission | nindent 2 }}
generation:
  {{- $generation := include "profile-studio.resolved" (dict "root" . "section" "generation") | fromYaml }}
  {{- $platform := dict "namespace" .Release.Namespace "replicas" (int .Values.predictor.replicas) }}
  {{- if and .Values.predictor.autoscaling.enabled (eq (int .Values.predictor.autoscaling.minReplicas) 0) }}
  {{- $platform = merge (dict "startSeconds" (int .Values.predictor.startupSeconds)) $platform }}
  {{- end }}
  {{- toYaml (mergeOverwrite $platform $generation) | nindent 2 }}
finish:
  {{- include "profile-studio.resolved" (dict "root" . "section" "finish") | nindent 2 }}
sweep:
  {{- toYaml .Values.sweep | nindent 2 }}
events:
  {{- toYaml (dict "sink" (dict "url" .Values.events.sink.url) "queue" .Values.events.queue "againSeconds" .Values.events.againSeconds) | nindent 2 }}
uploads:
  {{- toYaml .Values.uploads | nindent 2 }}
watchNamespaces: {{ include "profile-studio.watched" . }}
installation: {{ include "profile-studio.installation" . | quote }}
{{- with .Values.installation.formerly }}
formerly: {{ toJson . }}
{{- end }}
{{- with .Values.limits }}
limits: {{ toJson . }}
{{- end }}
lease: {namespace: {{ .Release.Namespace }}, name: {{ include "profile-studio.fullname" . }}-operator}
metricsPort: 9090
healthPort: 8080
{{- with .Values.operator.config }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* profile_web.config.WebConfig, as YAML. */}}
{{- define "profile-studio.webConfig" -}}
{{- $signIn := omit .Values.web.signIn "ownerKeySecret" "proxySecret" }}
{{- if and (eq $signIn.mode "Local") .Values.web.ingress.enabled }}
{{- $_ := set $signIn "hosts" (uniq (append $signIn.hosts .Values.web.ingress.host)) }}
{{- end }}
signIn:
  {{- toYaml $signIn | nindent 2 }}
namespaces:
  {{- toYaml .Values.web.namespaces | nindent 2 }}
store:
  endpoint: {{ .Values.store.endpoint | quote }}
  bucket: {{ .Values.store.bucket | quote }}
  region: {{ .Values.store.region | quote }}
  secure: {{ .Values.store.secure }}
  {{- with .Values.store.prefix }}
  prefix: {{ . | quote }}
  {{- end }}
  publicUrl: {{ required "web.store.publicUrl: where browsers reach the store, such as https://store.example.com" .Values.web.store.publicUrl | quote }}
limits:
  {{- toYaml .Values.web.limits | nindent 2 }}
drafts:
  {{- toYaml (default dict .Values.web.drafts) | nindent 2 }}
defaults:
  {{- toYaml .Values.web.defaults | nindent 2 }}
port: 8080
{{- end -}}
