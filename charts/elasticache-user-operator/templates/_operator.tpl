{{- /* The operator's flags; a value that is empty leaves the operator's own default. */ -}}
{{- define "euo.args" -}}
- run
{{- range .Values.watch.namespaces }}
- --namespace={{ . }}
{{- end }}
{{- /* Where single Secrets are named there is nothing to watch, and cluster-wide everything. */ -}}
{{- if not (or .Values.secrets.clusterWide .Values.secrets.names) }}
{{- range .Values.secrets.namespaces }}
- --secret-namespace={{ . }}
{{- end }}
{{- end }}
{{- with .Values.operator.clusterID }}
- {{ printf "--cluster-id=%s" . | quote }}
{{- end }}
- --default-deletion-policy={{ .Values.operator.defaultDeletionPolicy }}
{{- range .Values.operator.adoptionNamespaces }}
- {{ printf "--adoption-namespace=%s" . | quote }}
{{- end }}
{{- with .Values.operator.requiredUserIDPrefix }}
- {{ printf "--required-user-id-prefix=%s" . | quote }}
{{- end }}
- --concurrency={{ .Values.operator.concurrency }}
- --aws-rate={{ .Values.operator.awsRate }}
- --aws-burst={{ .Values.operator.awsBurst }}
- --resync={{ .Values.operator.resync }}
- --tag-resync-every={{ .Values.operator.tagResyncEvery }}
- --stale-after={{ .Values.operator.staleAfter }}
- --http-addr={{ .Values.operator.httpAddress }}:{{ .Values.operator.httpPort }}
{{- if .Values.leaderElection }}
- --leader-elect=true
{{- end }}
- --log-format={{ .Values.operator.logFormat }}
{{- with .Values.operator.log }}
- {{ printf "--log=%s" . | quote }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "euo.env" -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- with .Values.aws.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- if not .Values.aws.useInstanceMetadata }}
- name: AWS_EC2_METADATA_DISABLED
  value: "true"
{{- end }}
{{- with .Values.aws.endpointURL }}
- name: AWS_ENDPOINT_URL_ELASTICACHE
  value: {{ . | quote }}
{{- end }}
{{- if .Values.aws.useFIPS }}
- name: AWS_USE_FIPS_ENDPOINT
  value: "true"
{{- end }}
{{- if .Values.aws.useDualStack }}
- name: AWS_USE_DUALSTACK_ENDPOINT
  value: "true"
{{- end }}
- name: MALLOC_ARENA_MAX
  value: "2"
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
