/** Keeps the list of kinds that the server has besides the built-in ones: read at the start, after a reconnect, and whenever a definition changes. */
import { effectScope, watch } from 'vue'
import type { CustomResourceDefinition } from '../../src-main/api/generated/apiextensions-v1.ts'
import { allResources } from '../../src-main/api/resources.ts'
import { ask } from '../api/cluster.ts'
import { customKinds, kindByWord } from '../kinds/kinds.ts'
import { discoveredKinds, printedColumns } from '../kinds/discovered.ts'
import type { GroupDiscoveryList } from '../kinds/discovered.ts'
import { onReconnected } from '../transport/connect.ts'
import { useLive } from './live-list.ts'
import type { LiveList } from './live-list.ts'

const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
/** A definition is established, and discovery knows of it, a moment after it was written. */
const settleMs = 300
/** Aggregated API servers come and go without a definition. */
const pollMs = 30_000

const known: ReadonlySet<string> = new Set(allResources.map(r => `${r.plural}.${r.group}`))
let definitions: LiveList | undefined
let reading: Promise<void> | undefined

/** Reads the kinds now. A fault leaves them as they are: they are read again. */
export function refreshKinds(): Promise<void> {
  reading ??= read().finally(() => {
    reading = undefined
  })
  return reading
}

async function read(): Promise<void> {
  try {
    const { body } = await ask('GET', '/apis', { accept })
    const byName = new Map((definitions?.rows.value ?? []).map(d => [d.metadata.name ?? '', d as unknown as CustomResourceDefinition]))
    const next = discoveredKinds(body as GroupDiscoveryList, known, (group, version, plural) => printedColumns(byName.get(`${plural}.${group}`), version))
    // The same kinds stay the same objects: open lists are not built anew for nothing.
    const same = next.length === customKinds.value.length && signature(next) === signature(customKinds.value)
    if (!same) customKinds.value = next
  } catch {
    return
  }
  followDefinitions()
}

function signature(kinds: typeof customKinds.value): string {
  return JSON.stringify(kinds)
}

function followDefinitions(): void {
  const kind = definitions ? undefined : kindByWord('customresourcedefinitions.apiextensions.k8s.io')
  if (!kind) return
  effectScope(true).run(() => {
    const live = useLive(kind) as LiveList
    definitions = live
    let settling: ReturnType<typeof setTimeout> | undefined
    watch(live.rows, () => {
      clearTimeout(settling)
      settling = setTimeout(() => void refreshKinds(), settleMs)
    })
  })
}

let started = false
export function startCustomKinds(): void {
  if (started) return
  started = true
  void refreshKinds()
  onReconnected(() => void refreshKinds())
  setInterval(() => {
    if (!document.hidden) void refreshKinds()
  }, pollMs)
}
