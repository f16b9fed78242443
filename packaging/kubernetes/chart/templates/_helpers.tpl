{{- define "flannel.labels" -}}
app: flannel
k8s-app: flannel
tier: node
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "flannel.image" -}}
{{ .Values.flannel.image.repository }}:{{ .Values.flannel.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* The network configuration, as /coreos.com/network/config has it where the store is etcd. */ -}}
{{- define "flannel.network" -}}
{{- $in := .Values.flannel -}}
{{- $backend := dict "Type" $in.backend -}}
{{- if eq $in.backend "vxlan" -}}
{{- if $in.backendPort }}{{ $_ := set $backend "Port" (int $in.backendPort) }}{{ end -}}
{{- if $in.vni }}{{ $_ := set $backend "VNI" (int $in.vni) }}{{ end -}}
{{- if $in.mtu }}{{ $_ := set $backend "MTU" (int $in.mtu) }}{{ end -}}
{{- if $in.GBP }}{{ $_ := set $backend "GBP" true }}{{ end -}}
{{- if $in.directRouting }}{{ $_ := set $backend "DirectRouting" true }}{{ end -}}
{{- end -}}
{{- $network := dict "Backend" $backend -}}
{{- if .Values.podCidr }}{{ $_ := set $network "Network" .Values.podCidr }}{{ else }}{{ $_ := set $network "EnableIPv4" false }}{{ end -}}
{{- if .Values.podCidrv6 }}{{ $_ := set $network "EnableIPv6" true }}{{ $_ := set $network "IPv6Network" .Values.podCidrv6 }}{{ end -}}
{{- if $in.enableNFTables }}{{ $_ := set $network "EnableNFTables" true }}{{ end -}}
{{- $network | toPrettyJson -}}
{{- end }}
