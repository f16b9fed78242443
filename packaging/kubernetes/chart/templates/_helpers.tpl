{{- define "flannel.labels" -}}
app: flannel
k8s-app: flannel
tier: node
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "flannel.image" -}}
{{ .Values.flannel.image.repository }}:{{ .Values.flannel.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* The list of plugins, as it was given: what no runtime would take, or has no plugin of ours, would keep every node from its network. */ -}}
{{- define "flannel.plugins" -}}
{{- $list := fromJson .Values.flannel.cniConf -}}
{{- if hasKey $list "Error" }}{{ fail (printf "flannel.cniConf is no JSON: %v" $list.Error) }}{{ end -}}
{{- if not (and (kindIs "string" $list.name) $list.name) }}{{ fail "flannel.cniConf: name is to be that of the network" }}{{ end -}}
{{- if not (kindIs "slice" $list.plugins) }}{{ fail "flannel.cniConf: plugins is to be a list" }}{{ end -}}
{{- $types := list -}}
{{- range $list.plugins -}}
{{- if not (kindIs "map" .) }}{{ fail "flannel.cniConf: each of plugins is to be an object" }}{{ end -}}
{{- if not (and (kindIs "string" .type) .type) }}{{ fail "flannel.cniConf: each of plugins is to have a type" }}{{ end -}}
{{- $types = append $types .type -}}
{{- end -}}
{{- if not (has "flannel" $types) }}{{ fail "flannel.cniConf: one of plugins is to be of the type flannel" }}{{ end -}}
{{- .Values.flannel.cniConf -}}
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
