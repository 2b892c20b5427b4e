{{/*
What the base model says about itself, as YAML: `recipe` of the values, else the one that the chart has of this name, else
SDXL's, from which most models are tuned.
*/}}
{{- define "profile-studio.recipe" -}}
{{- if .Values.recipe -}}
{{- toYaml .Values.recipe -}}
{{- else -}}
{{- default (.Files.Get "recipes/stable-diffusion-xl-base-1.0.yaml") (.Files.Get (printf "recipes/%s.yaml" .Values.training.baseModel)) -}}
{{- end -}}
{{- end -}}

{{/* Whether the recipe is one that was written for another model: not empty then. */}}
{{- define "profile-studio.recipeOfAnother" -}}
{{- if not (or .Values.recipe (.Files.Get (printf "recipes/%s.yaml" .Values.training.baseModel))) -}}true{{- end -}}
{{- end -}}

{{/*
A section of the values with what the recipe says where they say nothing, as YAML; call with (dict "root" $ "section"
"training"). Field by field: mergeOverwrite would take a zero, or an empty text, for nothing.
*/}}
{{- define "profile-studio.resolved" -}}
{{- $recipe := include "profile-studio.recipe" .root | fromYaml -}}
{{- $resolved := dict -}}
{{- if eq .section "training" -}}
{{- range $name := list "token" "controlModel" -}}
{{- with get $recipe $name }}{{ $_ := set $resolved $name . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if eq .section "preprocess" -}}
{{- with (get $recipe "training") }}{{ with .resolution }}{{ $_ := set $resolved "resolution" (int .) }}{{ end }}{{ end -}}
{{- end -}}
{{- if eq .section "finish" -}}
{{- $_ := set $resolved "toy" (not (empty (get $recipe "toy"))) -}}
{{- end -}}
{{- range $said := list (get $recipe .section) (get .root.Values .section) -}}
{{- range $name, $value := default (dict) $said -}}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $resolved $name $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toYaml $resolved -}}
{{- end -}}
