/**
 * The contract between the control plane and the node agent: its configuration file, its paths on the host, and its
 * local server. The server speaks the kubelet's API so that nothing above needs to know that it is not a kubelet.
 */

/** Where everything of Quarterdeck lives on a host. Removal deletes exactly these, the unit, the rules and the interfaces. */
export const agentPaths = {
  root: '/opt/quarterdeck',
  /** Node runtime, by digest: `<runtimeDir>/<sha256>/node`. */
  runtimeDir: '/opt/quarterdeck/runtime',
  /** Agent bundle, by digest: `<agentDir>/<sha256>/agent.js`. */
  agentDir: '/opt/quarterdeck/agent',
  config: '/etc/quarterdeck/agent.json',
  configDir: '/etc/quarterdeck',
  /** Checkpoints, keys, pod volumes, logs. */
  stateDir: '/var/lib/quarterdeck',
  logDir: '/var/log/quarterdeck',
  unit: '/etc/systemd/system/quarterdeck-agent.service',
  unitName: 'quarterdeck-agent.service',
} as const

/** TCP ports on the node. All but SSH and the overlay's UDP port listen on loopback or on the pod bridge only. */
export const agentPorts = {
  /** Agent's kubelet-like HTTPS server, on 127.0.0.1. */
  server: 10250,
  /** Where the control plane's API appears on the node, on 127.0.0.1, by SSH remote forward. */
  api: 16443,
  /** VXLAN between nodes (UDP). */
  overlay: 8473,
  /** Where a node answers the probes of others, inside the pod network (TCP). */
  probe: 8474,
} as const

/** Names in the node's kernel and container runtime. */
export const agentNames = {
  bridge: 'quarterdeck0',
  overlay: 'quarterdeck-vx',
  /** Network namespace that looks at the pod network as a pod does, and its link on the bridge. */
  probeNamespace: 'quarterdeck-probe',
  probeLink: 'quarterdeck-pr',
  dockerNetwork: 'quarterdeck-pods',
  nftTable: 'quarterdeck',
  /** Containers: `quarterdeck_<container>_<pod>_<namespace>_<uid>_<attempt>`; sandboxes use the container name POD. */
  containerPrefix: 'quarterdeck_',
  /** Image of the pod sandbox: made on the node from a static binary that the agent bundle carries, never pulled. */
  sandboxImage: 'quarterdeck/sandbox:1',
} as const

/** /etc/quarterdeck/agent.json, mode 0600. */
export interface AgentConfig {
  readonly nodeName: string
  /** https://127.0.0.1:16443 in the usual case. */
  readonly apiServer: string
  /** PEM of the cluster's CA. */
  readonly certificateAuthority: string
  /** `abcdef.0123456789abcdef`: used once to ask for a client certificate (CSR, as kubelets do). */
  readonly bootstrapToken: string
  readonly nodeAddress: string
  /** Whole pod range of the cluster, e.g. 10.244.0.0/16; the node's own part is Node.spec.podCIDR. */
  readonly clusterCIDR: string
  readonly serviceCIDR: string
  readonly clusterDNS: string
  readonly clusterDomain: string
  readonly nodeLabels: Readonly<Record<string, string>>
  readonly nodeTaints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  readonly dockerSocket: string
  /** Digest of the agent bundle, shown as the node's kubelet build. */
  readonly agentVersion: string
}

/**
 * Paths of the agent's server (HTTPS, client certificate of the cluster's CA with group system:masters or the user
 * kube-apiserver-kubelet-client required):
 *
 * GET  /healthz
 * GET  /pods                                     PodList as the agent sees it
 * GET  /containerLogs/{ns}/{pod}/{container}     ?follow&previous&sinceSeconds&sinceTime&timestamps&tailLines&limitBytes
 * ANY  /exec/{ns}/{pod}/{container}              ?command=…&stdin&stdout&stderr&tty   WebSocket v5/v4.channel.k8s.io
 * ANY  /attach/{ns}/{pod}/{container}            same
 * ANY  /portForward/{ns}/{pod}                   WebSocket (v2.portforward.k8s.io tunnel: SPDY inside) and SPDY/3.1
 * ANY  /podProxy/{ns}/{pod}/{port}/{path}       to http://<pod IP>:<port>/<path>, upgrades included (pods/proxy, services/proxy)
 * GET  /stats/summary                            kubelet Summary (v1alpha1): node and pods, CPU, memory, network, fs
 * GET  /metrics/resource, /metrics, /metrics/cadvisor
 * GET  /logs/{path}, /configz, /runningpods/
 */
export const agentServerPaths = [
  '/healthz',
  '/pods',
  '/containerLogs/',
  '/exec/',
  '/attach/',
  '/portForward/',
  '/podProxy/',
  '/stats/summary',
  '/metrics',
  '/metrics/resource',
  '/logs/',
  '/configz',
  '/runningpods/',
] as const

/** Condition of a Node: whether a pod of it was seen to reach pods of other nodes, services, DNS and the outside. */
export const networkProvenCondition = 'NetworkProven'

/** Group of bootstrap tokens that may ask for node client certificates. */
export const bootstrapGroup = 'system:bootstrappers:quarterdeck:nodes'
