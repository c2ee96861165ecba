/**
 * Makes a decision about volumes real before the pod is bound: claims their volumes, tells provisioners the node, and
 * waits until the binder has finished. The volumes are reserved meanwhile, so that the next pod gets others.
 */
import { keyOf } from '../api/meta.ts'
import { persistentVolumeClaims } from '../api/core/v1/persistent-volume-claim.ts'
import { persistentVolumes } from '../api/core/v1/persistent-volume.ts'
import { isFullyBound, isVolumeBoundToClaim, volumeAllowsNode, volumeAnnotations } from '../api/core/v1/volume-claims.ts'
import type { Node, PersistentVolumeClaim, Pod } from '../api/generated/core-v1.ts'
import type { Env } from '../base/env.ts'
import type { Client } from '../client/client.ts'
import { findVolumes, sortClaims } from './plugins/volume-binding/find-volumes.ts'
import type { StorageView } from './storage-view.ts'

/** As upstream's bindTimeoutSeconds. */
const patienceMs = 600_000
const lookMs = 100

export class VolumeBindingError extends Error {}

export class VolumeBinder {
  readonly #env: Env
  readonly #client: Client
  readonly #view: StorageView
  readonly #reserved: Set<string>

  /** `reserved` is the set that `view` shows. */
  constructor(env: Env, client: Client, view: StorageView, reserved: Set<string>) {
    this.#env = env
    this.#client = client
    this.#view = view
    this.#reserved = reserved
  }

  /** Undefined when the pod has nothing to bind; else what has to be done before it. Reserves at once. */
  plan(pod: Pod, node: Node): ((signal: AbortSignal) => Promise<void>) | undefined {
    const claims = sortClaims(pod, this.#view)
    if (claims.delayed.length === 0) return undefined
    const found = findVolumes(claims, node, this.#view)
    if ('refusals' in found) return () => Promise.reject(new VolumeBindingError(found.refusals.join(', ')))
    const names = [...found.matches.values()]
    for (const name of names) this.#reserved.add(name)
    return async signal => {
      try {
        for (const [claim, name] of found.matches) await this.#claim(claim, name)
        for (const claim of found.toProvision) await this.#select(claim, node)
        await this.#wait(claims.delayed, new Set(found.toProvision), node, signal)
      } finally {
        for (const name of names) this.#reserved.delete(name)
      }
    }
  }

  async #claim(claim: PersistentVolumeClaim, name: string): Promise<void> {
    const volume = this.#view.volume(name)
    if (!volume) throw new VolumeBindingError(`volume ${name} is gone`)
    const isReserved = isVolumeBoundToClaim(volume, claim)
    if (isReserved && volume.spec?.claimRef?.uid) return
    const { namespace = '', name: claimName = '', uid = '', resourceVersion = '' } = claim.metadata
    const claimRef = { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name: claimName, uid, resourceVersion }
    const annotations = { ...volume.metadata.annotations, ...(isReserved ? {} : { [volumeAnnotations.boundByController]: 'yes' }) }
    await this.#client.resource(persistentVolumes).update({ ...volume, metadata: { ...volume.metadata, annotations }, spec: { ...volume.spec, claimRef } })
  }

  async #select(claim: PersistentVolumeClaim, node: Node): Promise<void> {
    const name = node.metadata.name ?? ''
    if (claim.metadata.annotations?.[volumeAnnotations.selectedNode] === name) return
    const annotations = { ...claim.metadata.annotations, [volumeAnnotations.selectedNode]: name }
    await this.#client.resource(persistentVolumeClaims).update({ ...claim, metadata: { ...claim.metadata, annotations } })
  }

  async #wait(claims: readonly PersistentVolumeClaim[], toProvision: ReadonlySet<PersistentVolumeClaim>, node: Node, signal: AbortSignal): Promise<void> {
    const untilMs = this.#env.clock.awakeMs() + patienceMs
    const isBound = (claim: PersistentVolumeClaim): boolean => {
      const now = this.#view.claim(keyOf(claim))
      if (!now || now.metadata.uid !== claim.metadata.uid) throw new VolumeBindingError(`claim ${keyOf(claim)} is gone`)
      if (isFullyBound(now)) return this.#isReachable(now, node)
      // A provisioner that cannot serve this node takes the mark off; another node is chosen then.
      const selected = now.metadata.annotations?.[volumeAnnotations.selectedNode]
      const seen = BigInt(now.metadata.resourceVersion ?? '0') > BigInt(claim.metadata.resourceVersion ?? '0')
      if (seen && selected === undefined && toProvision.has(claim))
        throw new VolumeBindingError(`no volume can be made for claim ${keyOf(claim)} on node ${node.metadata.name ?? ''}`)
      if (seen && selected !== undefined && selected !== node.metadata.name) throw new VolumeBindingError(`claim ${keyOf(claim)} was given to another node`)
      return false
    }
    while (!claims.every(isBound)) {
      if (this.#env.clock.awakeMs() >= untilMs) throw new VolumeBindingError('binding volumes: timed out')
      await this.#env.clock.sleep(lookMs, signal)
    }
  }

  /** False while the volume is not seen yet. Another volume than the one that was found may have been bound meanwhile. */
  #isReachable(claim: PersistentVolumeClaim, node: Node): boolean {
    const volume = this.#view.volume(claim.spec?.volumeName ?? '')
    if (!volume) return false
    if (volumeAllowsNode(volume, node)) return true
    throw new VolumeBindingError(`volume ${volume.metadata.name ?? ''} of claim ${keyOf(claim)} cannot be reached from node ${node.metadata.name ?? ''}`)
  }
}
