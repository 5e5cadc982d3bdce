{{- define "onair.name" -}}
{{- contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) | trunc 58 | trimSuffix "-" }}
{{- end }}

{{- define "onair.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "onair.labels" -}}
{{ include "onair.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* onair.yaml. A number of values.yaml is a float here, and onair does not read 1e+06. */}}
{{- define "onair.config" -}}
listen: ":8080"
ops.listen: ":9090"
leave: {{ printf "%ds" (int .Values.leaveSeconds) }}
drain: {{ printf "%ds" (int .Values.drainSeconds) }}
{{- if .Values.flightRecorder.enabled }}
flight.dir: /flight
{{- end }}
{{- range $key, $value := .Values.config }}
{{ $key }}: {{ if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}
{{- range $key, $_ := .Values.secrets }}
{{ $key }}_file: /run/secrets/onair/{{ $key }}
{{- end }}
{{- end }}
