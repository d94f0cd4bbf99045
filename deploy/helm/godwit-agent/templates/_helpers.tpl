{{- define "godwit-agent.labels" -}}
app.kubernetes.io/name: godwit-agent
app.kubernetes.io/part-of: godwit
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "godwit-agent.selector" -}}
app.kubernetes.io/name: godwit-agent
{{- end }}
