/**
 * The window's end of the bridge: Electron's preload when it is there, else a WebSocket to the page's own address with
 * the token of the address's fragment. `connected` follows the carrier; the WebSocket reconnects with back-off, and what
 * was open fails with 'unavailable', so that lists and logs resume by their own rules.
 */
import { ref, shallowRef } from 'vue'
import { BridgeError } from '../../src-main/api/bridge.ts'
import type { BridgeClient } from '../../src-main/api/bridge.ts'
import { createFrameClient, decodeFrame, encodeFrame } from '../../src-main/api/bridge-frames.ts'
import type { DownFrame, UpFrame } from '../../src-main/api/bridge-frames.ts'

interface Preload {
  send(frame: UpFrame): void
  receive(listener: (frame: DownFrame) => void): void
  readonly platform: string
}
declare global {
  interface Window {
    quarterdeck?: Preload
  }
}

export type CarrierState = 'connecting' | 'connected' | 'lost' | 'refused'
export const carrierState = ref<CarrierState>('connecting')
/** When the carrier was lost, ms since 1970. */
export const lostAt = shallowRef<number | undefined>()
const reconnected = new Set<() => void>()
/** Runs `fn` whenever the carrier is back. */
export function onReconnected(fn: () => void): () => void {
  reconnected.add(fn)
  return () => reconnected.delete(fn)
}

const tokenKey = 'quarterdeck-token'

/** Takes the token out of the address, so that it is neither bookmarked nor shown; kept for reloads of this tab. */
function takeToken(): string {
  const match = /[#&/]token=([A-Za-z0-9_-]+)/.exec(location.hash)
  if (match?.[1]) {
    sessionStorage.setItem(tokenKey, match[1])
    history.replaceState(null, '', location.pathname + '#/')
  }
  return sessionStorage.getItem(tokenKey) ?? ''
}

// When the module is loaded: before the router takes the fragment for a page.
const pageToken = takeToken()

function electronBridge(preload: Preload): BridgeClient {
  const { client, receive } = createFrameClient(frame => {
    preload.send(frame)
  })
  preload.receive(receive)
  carrierState.value = 'connected'
  return client
}

function webBridge(): BridgeClient {
  const token = pageToken
  let socket: WebSocket | undefined
  let waiting: UpFrame[] = []
  let attempt = 0
  let opened = false
  const frames = createFrameClient(frame => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(encodeFrame(frame) as string)
    // Before the first connection frames wait; afterwards what cannot be sent fails at once.
    else if (!opened) waiting.push(frame)
    else if (frame.t === 'call' || frame.t === 'open')
      queueMicrotask(() => {
        frames.receive({
          t: 'error',
          id: frame.id,
          error: { code: 'unavailable', message: 'The control plane cannot be reached', hint: 'Start Quarterdeck again, or wait: this window reconnects by itself.' },
        })
      })
  })
  function connect(): void {
    const next = new WebSocket(`ws://${location.host}/bridge`, ['quarterdeck.v1', `token.${token}`])
    next.binaryType = 'arraybuffer'
    next.onopen = () => {
      socket = next
      attempt = 0
      for (const frame of waiting) next.send(encodeFrame(frame) as string)
      waiting = []
      const again = opened
      opened = true
      carrierState.value = 'connected'
      lostAt.value = undefined
      if (again) for (const fn of reconnected) fn()
    }
    next.onmessage = event => {
      frames.receive(decodeFrame(typeof event.data === 'string' ? event.data : new Uint8Array(event.data as ArrayBuffer)) as DownFrame)
    }
    next.onclose = () => {
      socket = undefined
      lostAt.value ??= Date.now()
      carrierState.value = opened ? 'lost' : attempt > 1 ? 'refused' : 'connecting'
      frames.fail(new BridgeError('unavailable', 'The connection to Quarterdeck was lost', 'This window reconnects by itself.'))
      setTimeout(connect, Math.min(5000, 250 * 2 ** attempt++))
    }
  }
  connect()
  return frames.client
}

let client: BridgeClient | undefined
/** The one bridge of this window. */
export function useBridge(): BridgeClient {
  client ??= window.quarterdeck ? electronBridge(window.quarterdeck) : webBridge()
  return client
}
