{{- /* Settings are environment variables, so that `kubectl exec .. check` uses them too. An empty value means the operator's own
default. */ -}}
{{- define "euo.env" -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- $aws := .Values.aws }}
{{- $operator := .Values.operator }}
{{- $secrets := .Values.secrets.namespaces }}
{{- /* If no Secrets are allowed, or only single names, the operator can watch none (`-`). If all are allowed, it watches all. */ -}}
{{- if .Values.secrets.clusterWide }}
{{- $secrets = list }}
{{- else if or .Values.secrets.names (not $secrets) }}
{{- $secrets = list "-" }}
{{- end }}
{{- $settings := list
  (list "AWS_REGION" $aws.region)
  (list "AWS_EC2_METADATA_DISABLED" (ternary "" "true" $aws.useInstanceMetadata))
  (list "AWS_ENDPOINT_URL_ELASTICACHE" $aws.endpointURL)
  (list "AWS_USE_FIPS_ENDPOINT" (ternary "true" "" $aws.useFIPS))
  (list "AWS_USE_DUALSTACK_ENDPOINT" (ternary "true" "" $aws.useDualStack))
  (list "NAMESPACE" (join "," .Values.watch.namespaces))
  (list "SECRET_NAMESPACE" (join "," $secrets))
  (list "CLUSTER_ID" $operator.clusterID)
  (list "DEFAULT_DELETION_POLICY" $operator.defaultDeletionPolicy)
  (list "ADOPTION_NAMESPACE" (join "," $operator.adoptionNamespaces))
  (list "REQUIRED_USER_ID_PREFIX" $operator.requiredUserIDPrefix)
  (list "FORBID" (join "," $operator.forbid))
  (list "ALLOWED_TAG_KEY" (join "," $operator.allowedTagKeys))
  (list "MAX_USERS_PER_NAMESPACE" (default "" $operator.maxUsersPerNamespace))
  (list "PRIVILEGED_NAMESPACE" (join "," $operator.privilegedNamespaces))
  (list "CONCURRENCY" $operator.concurrency)
  (list "AWS_RATE" $operator.awsRate)
  (list "AWS_BURST" $operator.awsBurst)
  (list "RESYNC" $operator.resync)
  (list "TAG_RESYNC_EVERY" $operator.tagResyncEvery)
  (list "STALE_AFTER" $operator.staleAfter)
  (list "HTTP_ADDR" (printf "%s:%v" $operator.httpAddress $operator.httpPort))
  (list "HEALTH_ADDR" (printf "%s:%v" $operator.httpAddress $operator.healthPort))
  (list "METRICS_SECURE" (ternary "true" "" .Values.metrics.secure.enabled))
  (list "METRICS_CERT_DIR" (ternary "/etc/metrics-certificate" "" .Values.metrics.secure.enabled))
  (list "LEADER_ELECT" .Values.leaderElection)
  (list "LEASE_NAME" (include "euo.leaseName" .))
  (list "RELEASE" .Release.Name)
  (list "LOG_FORMAT" $operator.logFormat)
  (list "LOG" $operator.log)
  (list "MALLOC_ARENA_MAX" "2")
}}
{{- range $settings }}
{{- $value := toString (index . 1) }}
{{- if $value }}
- name: {{ index . 0 }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
