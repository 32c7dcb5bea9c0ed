{{- define "euo.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 52 characters, so that there is room for the suffixes of other names and of pods. */ -}}
{{- define "euo.fullname" -}}
{{- $name := include "euo.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* Name of cluster-wide objects. Two releases in two namespaces must not have the same one. */ -}}
{{- define "euo.clusterName" -}}
{{- $name := include "euo.fullname" . -}}
{{- if eq $name .Release.Namespace -}}{{ $name }}{{- else -}}{{ printf "%s:%s" .Release.Namespace $name }}{{- end -}}
{{- end -}}

{{- /* Two releases in one namespace must not share a Lease. */ -}}
{{- define "euo.leaseName" -}}{{ include "euo.fullname" . }}{{- end -}}

{{- define "euo.selectorLabels" -}}
app.kubernetes.io/name: {{ include "euo.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "euo.labels" -}}
{{ include "euo.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "euo.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "euo.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "euo.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "euo.subject" -}}
- kind: ServiceAccount
  name: {{ include "euo.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- /* RBAC rules for the operator's own objects. */ -}}
{{- define "euo.objectRules" -}}
- apiGroups: [elasticache-users.dev]
  resources: [elasticacheusers]
  verbs: [get, list, watch, patch]
- apiGroups: [elasticache-users.dev]
  resources: [elasticacheusers/status]
  verbs: [patch]
- apiGroups: [elasticache-users.dev]
  resources: [elasticacheusers/finalizers]
  verbs: [update]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- define "euo.secretRules" -}}
- apiGroups: [""]
  resources: [secrets]
{{- if .Values.secrets.names }}
  resourceNames: {{ toJson .Values.secrets.names }}
  verbs: [get]
{{- else }}
  verbs: [get, list, watch]
{{- end }}
{{- end -}}

{{- /* Whether to render a kind that the cluster may not know. The argument is (list root group/version/Kind mode value); the result is "true" or empty. */ -}}
{{- define "euo.renders" -}}
{{- $root := index . 0 -}}{{- $kind := index . 1 -}}{{- $mode := index . 2 -}}{{- $value := index . 3 -}}
{{- if or (eq $mode "render") ($root.Capabilities.APIVersions.Has $kind) -}}
true
{{- else if eq $mode "fail" -}}
{{- fail (printf "%s is enabled, but the cluster does not serve %s: install its CustomResourceDefinition, or set %s.mode to skip or render" $value $kind $value) -}}
{{- end -}}
{{- end -}}

{{- /* Stop with a sentence if the values cannot work. */ -}}
{{- define "euo.validate" -}}
{{- $names := list -}}
{{- range .Values.extraEnv -}}{{- $names = append $names .name -}}{{- end -}}
{{- if not (or .Values.aws.region (has "AWS_REGION" $names)) -}}
{{- fail "aws.region is needed: the AWS region whose ElastiCache users are managed, for example --set aws.region=eu-west-1" -}}
{{- end -}}
{{- if and .Values.rbac.rolesOnly (not .Values.watch.namespaces) -}}
{{- fail "rbac.rolesOnly needs watch.namespaces: without ClusterRoles the whole cluster cannot be watched" -}}
{{- end -}}
{{- if and .Values.rbac.rolesOnly (not .Values.operator.clusterID) -}}
{{- fail "rbac.rolesOnly needs operator.clusterID: without a ClusterRole the UID of kube-system, its default, cannot be read" -}}
{{- end -}}
{{- if and .Values.rbac.rolesOnly .Values.secrets.clusterWide -}}
{{- fail "rbac.rolesOnly and secrets.clusterWide exclude each other: list the namespaces in secrets.namespaces" -}}
{{- end -}}
{{- if and .Values.secrets.names (not (or .Values.secrets.namespaces .Values.secrets.clusterWide)) -}}
{{- fail "secrets.names needs secrets.namespaces: the namespaces of these Secrets" -}}
{{- end -}}
{{- if .Values.watch.namespaces -}}
{{- range .Values.secrets.namespaces -}}
{{- if not (has . $.Values.watch.namespaces) -}}
{{- fail (printf "secrets.namespaces has %q, which watch.namespaces lacks: its Secrets would be open for nothing" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $namespace, $names := .Values.secrets.named -}}
{{- if or $.Values.secrets.clusterWide (has $namespace $.Values.secrets.namespaces) -}}
{{- fail (printf "secrets.named and secrets.%s both have %q: all Secrets there are open already" (ternary "clusterWide" "namespaces" $.Values.secrets.clusterWide) $namespace) -}}
{{- end -}}
{{- if and $.Values.watch.namespaces (not (has $namespace $.Values.watch.namespaces)) -}}
{{- fail (printf "secrets.named has %q, which watch.namespaces lacks: its Secrets would be open for nothing" $namespace) -}}
{{- end -}}
{{- end -}}
{{- if eq (int .Values.operator.httpPort) (int .Values.operator.healthPort) -}}
{{- fail "operator.httpPort and operator.healthPort must differ: a NetworkPolicy tells /metrics from the probes by the port" -}}
{{- end -}}
{{- with .Values.metrics.secure -}}
{{- if and .enabled (not .certSecret) -}}
{{- fail "metrics.secure.enabled needs metrics.secure.certSecret: the Secret with the certificate, tls.crt and tls.key" -}}
{{- end -}}
{{- if and .enabled $.Values.rbac.rolesOnly -}}
{{- fail "metrics.secure.enabled and rbac.rolesOnly exclude each other: reviews of tokens need a ClusterRole" -}}
{{- end -}}
{{- if and .enabled $.Values.metrics.podMonitor.enabled (not .tokenSecret) -}}
{{- fail "metrics.podMonitor with metrics.secure needs metrics.secure.tokenSecret: a PodMonitor cannot name Prometheus' own token" -}}
{{- end -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.leaderElection) -}}
{{- fail "leaderElection is needed with more than one replica: two operators would work on the same users" -}}
{{- end -}}
{{- end -}}
