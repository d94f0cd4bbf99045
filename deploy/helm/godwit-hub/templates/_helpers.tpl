{{- define "godwit-hub.labels" -}}
app.kubernetes.io/name: godwit-hub
app.kubernetes.io/part-of: godwit
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "godwit-hub.selector" -}}
app.kubernetes.io/name: godwit-hub
{{- end }}
