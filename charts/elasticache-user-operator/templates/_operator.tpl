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
{{- /* If all Secrets are allowed, the operator watches all. If somebody may bind the role for a namespace, it watches wherever it may
(`*`). If no Secrets are allowed, or only single names, it can watch none (`-`). */ -}}
{{- if .Values.secrets.clusterWide }}
{{- $secrets = list }}
{{- else if .Values.secrets.bindable }}
{{- $secrets = list "*" }}
{{- else if or .Values.secrets.names (not $secrets) }}
{{- $secrets = list "-" }}
{{- end }}
{{- $settings := list
  (list "AWS_REGION" $aws.region)
  (list "AWS_EC2_METADATA_DISABLED" (ternary "" "true" $aws.useInstanceMetadata))
  (list "AWS_ENDPOINT_URL_ELASTICACHE" $aws.endpointURL)
  (list "AWS_USE_FIPS_ENDPOINT" (ternary "true" "" $aws.useFIPS))
  (list "AWS_USE_DUALSTACK_ENDPOINT" (ternary "true" "" $aws.useDualStack))
  (list "ELASTICACHE_USERS_NAMESPACE" (join "," .Values.watch.namespaces))
  (list "ELASTICACHE_USERS_SECRET_NAMESPACE" (join "," $secrets))
  (list "ELASTICACHE_USERS_CLUSTER_ID" $operator.clusterID)
  (list "ELASTICACHE_USERS_CLASS" $operator.class)
  (list "ELASTICACHE_USERS_DEFAULT_DELETION_POLICY" $operator.defaultDeletionPolicy)
  (list "ELASTICACHE_USERS_ADOPTION_NAMESPACE" (join "," $operator.adoptionNamespaces))
  (list "ELASTICACHE_USERS_REQUIRED_USER_ID_PREFIX" $operator.requiredUserIDPrefix)
  (list "ELASTICACHE_USERS_ALLOWED_USER_GROUP" (join "," $operator.allowedUserGroups))
  (list "ELASTICACHE_USERS_FORBID" (join "," $operator.forbid))
  (list "ELASTICACHE_USERS_ALLOWED_TAG_KEY" (join "," $operator.allowedTagKeys))
  (list "ELASTICACHE_USERS_MAX_USERS_PER_NAMESPACE" (default "" $operator.maxUsersPerNamespace))
  (list "ELASTICACHE_USERS_PRIVILEGED_NAMESPACE" (join "," $operator.privilegedNamespaces))
  (list "ELASTICACHE_USERS_CONCURRENCY" $operator.concurrency)
  (list "ELASTICACHE_USERS_AWS_RATE" $operator.awsRate)
  (list "ELASTICACHE_USERS_AWS_BURST" $operator.awsBurst)
  (list "ELASTICACHE_USERS_RESYNC" $operator.resync)
  (list "ELASTICACHE_USERS_TAG_RESYNC_EVERY" $operator.tagResyncEvery)
  (list "ELASTICACHE_USERS_STALE_AFTER" $operator.staleAfter)
  (list "ELASTICACHE_USERS_HTTP_ADDR" (printf "%s:%v" $operator.httpAddress $operator.httpPort))
  (list "ELASTICACHE_USERS_HEALTH_ADDR" (printf "%s:%v" $operator.httpAddress $operator.healthPort))
  (list "ELASTICACHE_USERS_METRICS_SECURE" (ternary "true" "" .Values.metrics.secure.enabled))
  (list "ELASTICACHE_USERS_METRICS_CERT_DIR" (ternary "/etc/metrics-certificate" "" .Values.metrics.secure.enabled))
  (list "ELASTICACHE_USERS_LEADER_ELECT" .Values.leaderElection)
  (list "ELASTICACHE_USERS_LEASE_NAME" (include "euo.leaseName" .))
  (list "ELASTICACHE_USERS_RELEASE" .Release.Name)
  (list "ELASTICACHE_USERS_LOG_FORMAT" $operator.logFormat)
  (list "ELASTICACHE_USERS_LOG" $operator.log)
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
