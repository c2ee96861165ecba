/** YAML to and from the server: read exactly as stored, tried by a dry run, put back with its resourceVersion so that a change by others is seen. */
import { groupVersion } from '../../../src-main/api/meta.ts'
import { resourcePath } from '../../../src-main/api/resource.ts'
import type { AnyResource } from '../../../src-main/api/resource.ts'
import { parseYaml, stringifyYaml } from '../../../src-main/api/yaml.ts'
import { StatusError } from '../../../src-main/api/status-error.ts'
import { ask } from '../../api/cluster.ts'
import type { Answered } from '../../api/cluster.ts'
import { kindOf } from '../../kinds/kinds.ts'
import { refreshKinds } from '../../stores/custom-kinds.ts'
import { windowEnv } from '../../transport/window-env.ts'
import { mergeThreeWay } from './three-way.ts'

/** A definition needs a moment until the server serves its kind. */
const kindTries = 5
const kindWaitMs = 400

interface Parsed {
  apiVersion?: string
  kind?: string
  metadata?: { name?: string; namespace?: string; generateName?: string }
}

/** The object as YAML without managedFields, which nobody edits by hand. */
export async function readYaml(resource: AnyResource, namespace: string, name: string): Promise<string> {
  const { body } = await ask('GET', resourcePath(resource, namespace, name))
  const object = structuredClone(body) as { apiVersion?: string; kind?: string; metadata?: { managedFields?: unknown } }
  delete object.metadata?.managedFields
  return stringifyYaml(object)
}

export async function replaceYaml(resource: AnyResource, namespace: string, name: string, text: string, dryRun: boolean): Promise<Answered> {
  return ask('PUT', `${resourcePath(resource, namespace, name)}?fieldManager=quarterdeck&fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`, {
    body: text,
    contentType: 'application/yaml',
  })
}

export interface Rebased {
  /** The object as it is now. */ original: string
  /** The same with the user's changes. */ text: string
  /** Fields that both changed; `text` has the user's value. */ clashes: string[]
}

/** Puts what the user changed onto the object as it is now, after others (people, controllers) changed it. */
export async function rebaseYaml(resource: AnyResource, namespace: string, name: string, original: string, edited: string): Promise<Rebased> {
  const now = await readYaml(resource, namespace, name)
  const [base, mine, theirs] = [original, edited, now].map(
    text => parseYaml(text)[0] as { metadata?: { resourceVersion?: string; generation?: number }; status?: unknown } | undefined,
  )
  if (!base || !mine || !theirs) throw new Error('There is no object in the text')
  // What the server keeps by itself is never the user's change.
  const mineNow = {
    ...mine,
    ...(theirs.status === undefined ? {} : { status: theirs.status }),
    metadata: {
      ...mine.metadata,
      ...(theirs.metadata?.resourceVersion === undefined ? {} : { resourceVersion: theirs.metadata.resourceVersion }),
      ...(theirs.metadata?.generation === undefined ? {} : { generation: theirs.metadata.generation }),
    },
  }
  const { merged, clashes } = mergeThreeWay(base, mineNow, theirs)
  return { original: now, text: stringifyYaml(merged), clashes }
}

export interface Applied {
  kind: string
  name: string
  warnings: string[]
}

/** A kind that is not known may have been defined a moment ago, even by the document before. */
async function kindNow(apiVersion: string, kind: string): Promise<AnyResource | undefined> {
  const served = (): AnyResource | undefined => {
    const found = kindOf(apiVersion, kind)
    // Of several versions the window lists one; the server knows whether it serves the one that was asked for.
    return found && groupVersion(found.group, found.version) !== apiVersion ? { ...found, version: apiVersion.split('/').at(-1) ?? '' } : found
  }
  for (let tries = 0; served() === undefined && tries < kindTries; tries++) {
    if (tries > 0) await windowEnv.clock.sleep(kindWaitMs)
    await refreshKinds()
  }
  return served()
}

/** Applies every document by server-side apply, as `kubectl apply --server-side`. */
export async function applyYaml(text: string, defaultNamespace: string, dryRun: boolean): Promise<Applied[]> {
  const done: Applied[] = []
  for (const document of parseYaml(text)) {
    const object = document as Parsed
    const resource = object.kind === undefined ? undefined : await kindNow(object.apiVersion ?? '', object.kind)
    if (!resource || !object.kind) throw new Error(`There is no kind ${object.kind ?? '(none)'} in ${object.apiVersion ?? '(no apiVersion)'}`)
    const { name } = object.metadata ?? {}
    const namespace = resource.scope === 'Namespaced' ? (object.metadata?.namespace ?? defaultNamespace) : undefined
    if (!name) throw new Error(`${object.kind}: metadata.name is missing`)
    const { warnings } = await ask('PATCH', `${resourcePath(resource, namespace, name)}?fieldManager=quarterdeck&fieldValidation=Strict&force=true${dryRun ? '&dryRun=All' : ''}`, {
      body: document,
      contentType: 'application/apply-patch+yaml',
    })
    done.push({ kind: object.kind, name, warnings })
  }
  if (done.length === 0) throw new Error('There is no object in the text')
  return done
}

export function isConflict(error: unknown): boolean {
  return error instanceof StatusError && error.code === 409
}
