{{- define "profile-studio.predictorResources" -}}
{{- $resources := deepCopy .Values.predictor.resources }}
{{- if .Values.gpu.enabled }}
{{- $gpus := dict .Values.gpu.resource (.Values.predictor.gpus | toString) }}
{{- $_ := set $resources "limits" (merge (default (dict) $resources.limits) $gpus) }}
{{- $_ := set $resources "requests" (merge (default (dict) $resources.requests) $gpus) }}
{{- end }}
{{- toYaml $resources -}}
{{- end -}}

{{/* The predictor's container; call with (dict "root" $ "model" NAME "models" FOLDER). */}}
{{- define "profile-studio.predictorContainer" -}}
{{- $ready := printf "/v2/models/%s/ready" .model -}}
{{- $training := include "profile-studio.resolved" (dict "root" .root "section" "training") | fromYaml -}}
- name: kserve-container
  image: {{ include "profile-studio.image" (dict "root" .root "name" "predictor") }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  env:
  - {name: PROFILE_MODELS, value: {{ .models }}}
  {{- with include "profile-studio.weightsSha256" .root }}
  - {name: PROFILE_WEIGHTS_SHA256, value: {{ . | quote }}}
  {{- end }}
  - {name: PROFILE_MODEL_NAME, value: {{ .model | quote }}}
  - {name: PROFILE_BASE_MODEL, value: {{ $training.baseModel | quote }}}
  - {name: PROFILE_CONTROL_MODEL, value: {{ default "" $training.controlModel | quote }}}
  {{- with .root.Values.predictor.upscaler }}
  - {name: PROFILE_UPSCALER, value: {{ . | quote }}}
  {{- end }}
  {{- with .root.Values.predictor.safetyChecker }}
  - {name: PROFILE_SAFETY_CHECKER, value: {{ . | quote }}}
  {{- end }}
  # What the model was taken to say about itself; the predictor tells where its folder says something else.
  - {name: PROFILE_RECIPE, value: {{ include "profile-studio.recipe" .root | fromYaml | toJson | quote }}}
  - {name: PROFILE_SLOTS, value: {{ .root.Values.predictor.slots | quote }}}
  - {name: PROFILE_MAXIMUM_RANK, value: {{ .root.Values.predictor.maximumRank | quote }}}
  - {name: PROFILE_ADAPTER_LAYERS, value: {{ default "attention" $training.adapterLayers | quote }}}
  - {name: PROFILE_QUEUE, value: {{ .root.Values.predictor.queue | quote }}}
  # A batch that runs is answered before the kubelet loses patience.
  - {name: PROFILE_GRACE_SECONDS, value: {{ max 1 (sub (int .root.Values.predictor.terminationGracePeriodSeconds) 5) | quote }}}
  # How long a deleted adapter is remembered: as long as a grant that was signed before may live.
  - {name: PROFILE_GRANT_SECONDS, value: {{ default 1800 .root.Values.generation.grantSeconds | int | quote }}}
  # Grants for any other host, or any other bucket there, are refused.
  - {name: PROFILE_STORE_HOSTS, value: {{ printf "%s%s" (ternary "https://" "" (default false .root.Values.store.secure)) .root.Values.store.endpoint | quote }}}
  - {name: PROFILE_STORE_BUCKET, value: {{ .root.Values.store.bucket | quote }}}
  - {name: PROFILE_METRICS_PORT, value: "9090"}
  {{- if .root.Values.predictor.grpc }}
  - {name: PROFILE_GRPC_PORT, value: "8081"}
  {{- end }}
  {{- with .root.Values.predictor.existingSecret }}
  - name: PROFILE_TOKEN
    valueFrom: {secretKeyRef: {name: {{ . }}, key: token}}
  {{- end }}
  - {name: HOME, value: /tmp}
  {{- with include "profile-studio.logFormat" .root }}
  - {name: PROFILE_LOG_FORMAT, value: {{ . }}}
  {{- end }}
  {{- with include "profile-studio.tracing" .root }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- range $key, $value := .root.Values.predictor.env }}
  - {name: {{ $key }}, value: {{ $value | quote }}}
  {{- end }}
  {{- with .root.Values.predictor.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  ports:
  - {name: http1, containerPort: 8080, protocol: TCP}
  - {name: metrics, containerPort: 9090, protocol: TCP}
  {{- if .root.Values.predictor.grpc }}
  - {name: grpc, containerPort: 8081, protocol: TCP}
  {{- end }}
  startupProbe:
    httpGet: {path: {{ $ready | quote }}, port: 8080}
    periodSeconds: 2
    timeoutSeconds: 5
    failureThreshold: {{ div .root.Values.predictor.startupSeconds 2 }}
  readinessProbe:
    httpGet: {path: {{ $ready | quote }}, port: 8080}
    periodSeconds: 5
    timeoutSeconds: 5
  livenessProbe:
    httpGet: {path: /v2/health/live, port: 8080}
    periodSeconds: 10
    timeoutSeconds: 10
    failureThreshold: 6
  resources:
    {{- include "profile-studio.predictorResources" .root | nindent 4 }}
  securityContext:
    {{- include "profile-studio.containerSecurity" .root | nindent 4 }}
  volumeMounts:
  - {name: scratch, mountPath: /tmp}
  {{- if .image }}
  - {name: models, mountPath: /models, readOnly: true}
  {{- end }}
  {{- with .root.Values.predictor.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
