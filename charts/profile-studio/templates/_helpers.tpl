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

{{/* An image by name; call with (dict "root" $ "name" "trainer"). */}}
{{- define "profile-studio.image" -}}
{{- $images := .root.Values.images -}}
{{- $digest := get $images.digests .name -}}
{{- if $digest -}}
{{- printf "%s/%s@%s" $images.registry .name $digest -}}
{{- else -}}
{{- printf "%s/%s:%s" $images.registry .name (default .root.Chart.AppVersion $images.tag) -}}
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

{{/* One stage's Job for the operator's configuration; call with (dict "root" $ "stage" "train" "image" "trainer"). */}}
{{- define "profile-studio.job" -}}
{{- $job := deepCopy (get .root.Values.jobs .stage) -}}
{{- $_ := set $job "image" (include "profile-studio.image" (dict "root" .root "name" .image)) -}}
{{- $_ := set $job "imagePullPolicy" .root.Values.images.pullPolicy -}}
{{- $_ := set $job "gpus" (.root.Values.gpu.enabled | ternary (default 0 $job.gpus) 0) -}}
{{- $_ := set $job "gpuResource" .root.Values.gpu.resource -}}
{{- with include "profile-studio.weightsSha256" .root }}
{{- $_ := set $job "env" (mergeOverwrite (dict "PROFILE_WEIGHTS_SHA256" .) (default (dict) $job.env)) -}}
{{- end }}
{{- toYaml $job -}}
{{- end -}}

{{/* models.sha256 as stages and predictor read it, empty where nothing is named. */}}
{{- define "profile-studio.weightsSha256" -}}
{{- $entries := list }}
{{- range $name, $sha256 := .Values.models.sha256 }}
{{- $entries = append $entries (printf "%s=%s" $name $sha256) }}
{{- end }}
{{- join "," $entries -}}
{{- end -}}

{{/* profile_operator.config.OperatorConfig, as YAML. */}}
{{- define "profile-studio.operatorConfig" -}}
store:
  endpoint: {{ .Values.store.endpoint | quote }}
  bucket: {{ .Values.store.bucket | quote }}
  region: {{ .Values.store.region | quote }}
  secure: {{ .Values.store.secure }}
jobs:
  imagePullSecrets: {{ toJson .Values.images.pullSecrets }}
  {{- with .Values.commonLabels }}
  labels: {{ toJson . }}
  {{- end }}
  modelsClaim: {{ .Values.models.existingClaim | quote }}
  credentialsSeconds: {{ int .Values.jobs.credentialsSeconds }}
  preprocess:
    {{- include "profile-studio.job" (dict "root" . "stage" "preprocess" "image" "preprocess") | nindent 4 }}
  train:
    {{- include "profile-studio.job" (dict "root" . "stage" "train" "image" "trainer") | nindent 4 }}
  finish:
    {{- include "profile-studio.job" (dict "root" . "stage" "finish" "image" "finisher") | nindent 4 }}
training:
  {{- toYaml .Values.training | nindent 2 }}
preprocess:
  {{- toYaml .Values.preprocess | nindent 2 }}
generation:
  {{- toYaml (mergeOverwrite (dict "namespace" .Release.Namespace) .Values.generation) | nindent 2 }}
finish:
  {{- toYaml .Values.finish | nindent 2 }}
watchNamespaces: {{ toJson .Values.watchNamespaces }}
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
  publicUrl: {{ required "web.store.publicUrl: where browsers reach the store, such as https://store.example.com" .Values.web.store.publicUrl | quote }}
limits:
  {{- toYaml .Values.web.limits | nindent 2 }}
drafts:
  {{- toYaml .Values.web.drafts | nindent 2 }}
defaults:
  {{- toYaml .Values.web.defaults | nindent 2 }}
port: 8080
{{- end -}}
