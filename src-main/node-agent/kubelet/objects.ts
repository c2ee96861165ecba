/**
 * ConfigMaps and Secrets that this node's pods refer to: read from the API when asked, followed where volumes show them
 * (object-watches.ts), looked at again after a while where not, and remembered on disk (root only) so that pods start
 * again after a reboot while the API is away.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { configMaps } from '../../api/core/v1/config-map.ts'
import { secrets } from '../../api/core/v1/secret.ts'
import type { ConfigMap, Secret } from '../../api/generated/core-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { ResourceDefinition } from '../../api/resource.ts'
import { StatusError, isNotFound } from '../../api/status-error.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'
import { readJsonFile, removeFile, writeFileAtomic } from '../checkpoint.ts'
import { ObjectWatches } from './object-watches.ts'

/** How old an object may be that a running pod's volume shows and that is not followed. */
const maxAgeMs = 45_000

interface Entry {
  readonly object: KubernetesObject | undefined
  readonly atMs: number
}

export interface ObjectSource {
  /** Undefined where the API says that there is none. Throws where neither API nor disk can tell. */
  configMap(namespace: string, name: string, fresh?: boolean): Promise<ConfigMap | undefined>
  secret(namespace: string, name: string, fresh?: boolean): Promise<Secret | undefined>
  /** Ends all watches. */
  stop(): void
}

/** Present in every namespace, shown by nearly every pod, and changed once in years. */
const rootCertificates = 'kube-root-ca.crt'

/** `onChange`: an object of this namespace that volumes show is another one now. */
export function objectSource(options: { env: Env; client: Client; stateDir: string; onChange: (namespace: string) => void }): ObjectSource {
  const { env, client } = options
  const cache = new Map<string, Entry>()
  const fileOf = (key: string): string => join(options.stateDir, 'objects', `${createHash('sha256').update(key).digest('hex').slice(0, 40)}.json`)
  const watches = new ObjectWatches({
    env,
    client,
    onChange: (key, object) => {
      void changed(key, object)
    },
  })

  async function changed(key: string, object: KubernetesObject | undefined): Promise<void> {
    cache.set(key, { object, atMs: env.clock.awakeMs() })
    options.onChange(key.split('/')[1] ?? '')
    try {
      await (object ? writeFileAtomic(fileOf(key), JSON.stringify(object)) : removeFile(fileOf(key)))
    } catch (fault) {
      env.log.log('warn', 'cannot remember an object', { key, fault: String(fault) })
    }
  }

  function isFresh(key: string, known: Entry): boolean {
    return watches.follows(key) || env.clock.awakeMs() - known.atMs < maxAgeMs
  }

  async function read<T extends KubernetesObject>(resource: ResourceDefinition<T>, namespace: string, name: string, fresh: boolean): Promise<T | undefined> {
    const key = `${resource.plural}/${namespace}/${name}`
    const known = cache.get(key)
    if (known && !fresh && isFresh(key, known)) return known.object as T | undefined
    const file = fileOf(key)
    try {
      const object = await client.resource(resource).get(name, { namespace })
      if ((known?.object as T | undefined)?.metadata.resourceVersion !== object.metadata.resourceVersion) await writeFileAtomic(file, JSON.stringify(object))
      cache.set(key, { object, atMs: env.clock.awakeMs() })
      // A fresh read is for a container's start; what is immutable has nothing to tell.
      if (!fresh && name !== rootCertificates && (object as { immutable?: boolean }).immutable !== true) watches.start(key, resource, object)
      return object
    } catch (fault) {
      if (isNotFound(fault)) {
        cache.set(key, { object: undefined, atMs: env.clock.awakeMs() })
        await removeFile(file)
        return undefined
      }
      // A refusal is an answer, not an absence of the API: what was readable once may not be any more.
      if (fault instanceof StatusError && fault.code < 500) throw fault
      const object = (known?.object as T | undefined) ?? (await readJsonFile<T>(file))
      if (object === undefined) throw fault
      return object
    }
  }

  return {
    configMap: (namespace, name, fresh = false) => read(configMaps, namespace, name, fresh),
    secret: (namespace, name, fresh = false) => read(secrets, namespace, name, fresh),
    stop: () => {
      watches.stop()
    },
  }
}
