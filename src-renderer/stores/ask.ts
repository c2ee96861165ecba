/** The one question that is open: confirm, delete, scale, drain, push an image. */
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import type { AnyResource } from '../../src-main/api/resource.ts'

export type Question =
  | { type: 'confirm'; title: string; text: string; button: string; danger?: boolean; run(): Promise<unknown> }
  | { type: 'delete'; resource: AnyResource; objects: readonly KubernetesObject[] }
  | { type: 'scale'; resource: AnyResource; object: KubernetesObject }
  | { type: 'drain'; node: KubernetesObject }
  | { type: 'image'; file?: File }
  | { type: 'practice' }
  | { type: 'keys' }

export const useAsk = defineStore('ask', () => {
  const question = shallowRef<Question | undefined>()
  function ask(next: Question): void {
    question.value = next
  }
  function close(): void {
    question.value = undefined
  }
  return { question, ask, close }
})
