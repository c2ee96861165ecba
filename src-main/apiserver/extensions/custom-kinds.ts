/**
 * The kinds that are served now: those built in, and those that accepted CustomResourceDefinitions declare. The list hangs
 * on the store itself, so that a kind is there (or gone) for the first request after the write that made it so.
 */
import { customKind } from '../../api/apiextensions/custom-resource.ts'
import type { CustomKind } from '../../api/apiextensions/custom-resource.ts'
import type { ConvertObjects } from '../../api/apiextensions/conversion.ts'
import { isConditionTrue } from '../../api/apiextensions/v1/custom-resource-definition.ts'
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts'
import { deepEqual } from '../../api/json.ts'
import type { AnyResource } from '../../api/resource.ts'
import { resourceKey } from '../../api/resource.ts'
import type { LiveCopies } from '../live-copy.ts'
import { places } from '../live-copy.ts'

export interface CustomKinds {
  /** Built-in and custom; the same array until kinds change. */
  resources(): readonly AnyResource[]
  /** What a definition declares, whether it is served or not. */
  kindOf(definition: CustomResourceDefinition): CustomKind
  definitions(): readonly CustomResourceDefinition[]
}

interface Known {
  readonly definition: CustomResourceDefinition
  readonly kind: CustomKind
  readonly retire: AbortController
}

/** `copies` must be asked before it is awaited; until it is complete only built-in kinds are served. */
export function createCustomKinds(options: { copies: LiveCopies; builtIn: readonly AnyResource[]; convert?: ConvertObjects }): CustomKinds {
  const copy = options.copies.of<CustomResourceDefinition>(places.customResourceDefinitions)
  const builtInKeys = new Set(options.builtIn.map(resourceKey))
  const known = new Map<string, Known>()
  let isReady = false
  let seen = -1
  let list: readonly AnyResource[] = options.builtIn
  void copy.ready.then(() => {
    isReady = true
  })

  function kindOf(definition: CustomResourceDefinition): CustomKind {
    const uid = definition.metadata.uid ?? ''
    const present = known.get(uid)
    if (present && declaresSame(present.definition, definition)) return present.kind
    // Its watches go on where nothing changed but that it is being deleted.
    const isSame = present !== undefined && declaresSameKind(present.definition, definition)
    if (!isSame) present?.retire.abort()
    const retire = isSame ? present.retire : new AbortController()
    const kind = customKind(definition, { signal: retire.signal, ...(options.convert ? { convert: options.convert } : {}) })
    known.set(uid, { definition, kind, retire })
    return kind
  }

  function refresh(): void {
    const definitions = copy.list()
    const uids = new Set(definitions.map(definition => definition.metadata.uid ?? ''))
    for (const [uid, { retire }] of known) {
      if (uids.has(uid)) continue
      retire.abort()
      known.delete(uid)
    }
    const custom = definitions.filter(isServed).flatMap(definition => kindOf(definition).served.filter(resource => !builtInKeys.has(resourceKey(resource))))
    const next = [...options.builtIn, ...custom]
    if (next.length !== list.length || next.some((resource, i) => resource !== list[i])) list = next
  }

  return {
    resources() {
      if (isReady && copy.changes !== seen) {
        seen = copy.changes
        refresh()
      }
      return list
    },
    kindOf,
    definitions: () => copy.list(),
  }
}

/** A definition is served from the moment its names are accepted until it is gone. */
function isServed(definition: CustomResourceDefinition): boolean {
  return isConditionTrue(definition, 'NamesAccepted') || isConditionTrue(definition, 'Established')
}

function declaresSame(a: CustomResourceDefinition, b: CustomResourceDefinition): boolean {
  return a === b || (isTerminating(a) === isTerminating(b) && declaresSameKind(a, b))
}

function declaresSameKind(a: CustomResourceDefinition, b: CustomResourceDefinition): boolean {
  return deepEqual(a.spec, b.spec) && deepEqual(a.status?.acceptedNames, b.status?.acceptedNames)
}

export function isTerminating(definition: CustomResourceDefinition): boolean {
  return Boolean(definition.metadata.deletionTimestamp) || isConditionTrue(definition, 'Terminating')
}
