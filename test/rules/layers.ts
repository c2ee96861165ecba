/**
 * The dependency rules as data. A layer is a folder of src-main (or src-renderer); it may import itself and the layers
 * listed. `node` says whether it may import node: modules. `homes` names the one file or folder that may import an
 * outside package; packages not listed are free wherever `packages` of the layer allows any.
 */
export interface LayerRule {
  readonly imports: readonly string[]
  /** May import `node:` modules. */
  readonly node: boolean
  /** Peers: sub-folders of this layer that never import one another. */
  readonly peers?: string
}

const everythingBelowControlPlane = ['api', 'base', 'store', 'client', 'apiserver', 'controller-runtime', 'controllers', 'scheduler', 'provisioning', 'monitoring']

export const layers: Readonly<Record<string, LayerRule>> = {
  api: { imports: [], node: false },
  base: { imports: [], node: false }, // but base/node
  store: { imports: ['api', 'base'], node: true },
  client: { imports: ['api', 'base'], node: false }, // but client/node
  apiserver: { imports: ['api', 'base', 'store', 'client'], node: true },
  'controller-runtime': { imports: ['api', 'base', 'client'], node: false },
  controllers: { imports: ['api', 'base', 'client', 'controller-runtime'], node: false, peers: 'controllers' },
  scheduler: { imports: ['api', 'base', 'client', 'controller-runtime'], node: false, peers: 'scheduler/plugins' },
  provisioning: { imports: ['api', 'base', 'client', 'controller-runtime'], node: true, peers: 'provisioning/phases' },
  monitoring: { imports: ['api', 'base', 'client', 'controller-runtime', 'scheduler'], node: true },
  'node-agent': { imports: ['api', 'base', 'client'], node: true },
  'simulated-nodes': { imports: ['api', 'base', 'client'], node: false },
  'control-plane': { imports: everythingBelowControlPlane, node: true },
  bridge: { imports: ['api', 'base', 'client', 'control-plane', 'provisioning', 'monitoring'], node: true },
  server: { imports: ['api', 'base', 'client', 'bridge', 'control-plane', 'provisioning', 'monitoring', 'simulated-nodes'], node: true },
  electron: { imports: ['api', 'base', 'client', 'bridge', 'control-plane', 'provisioning', 'monitoring', 'server'], node: true },
  renderer: { imports: ['api', 'client', 'base'], node: false, peers: 'features' },
}

/** Folders inside a layer without node: modules that are bound to Node all the same; the window never imports them. */
export const nodeFolders: readonly string[] = ['src-main/base/node/', 'src-main/client/node/']

/** Packages with one home (a path prefix). */
export const homes: Readonly<Record<string, readonly string[]>> = {
  electron: ['src-main/electron/'],
  ssh2: ['src-main/provisioning/host/'],
  'ssh-config': ['src-main/provisioning/host/'],
  dockerode: ['src-main/node-agent/container-runtime/docker-engine.ts'],
  'dns-packet': ['src-main/node-agent/dns/'],
  '@peculiar/x509': ['src-main/control-plane/pki/', 'src-main/node-agent/bootstrap'],
  tweetnacl: ['src-main/store/encryption.ts'],
  jose: ['src-main/apiserver/authn/', 'src-main/control-plane/pki/'],
  yaml: ['src-main/api/yaml.ts'],
  re2js: ['src-main/api/cel/regex.ts', 'src-renderer/kinds/pattern.ts'],
}

/** What no file of src-main outside base/node and the entry points may say: time, timers, randomness and settings come from Env. */
export const ambient: readonly { readonly pattern: RegExp; readonly name: string }[] = [
  { pattern: /\bDate\.now\s*\(/, name: 'Date.now' },
  { pattern: /\bnew Date\(\s*\)/, name: 'new Date()' },
  { pattern: /\bperformance\.now\s*\(/, name: 'performance.now' },
  { pattern: /(?<![.\w])setTimeout\s*\(/, name: 'setTimeout' },
  { pattern: /(?<![.\w])setInterval\s*\(/, name: 'setInterval' },
  { pattern: /\bMath\.random\s*\(/, name: 'Math.random' },
  { pattern: /\bprocess\.env\b/, name: 'process.env' },
  { pattern: /\brandomUUID\s*\(/, name: 'randomUUID' },
]

/** Entry points may touch the ambient world: they build the Env. */
export const entryPoints: readonly string[] = ['src-main/base/node/', 'src-main/server/', 'src-main/electron/', 'src-main/node-agent/main.ts']
