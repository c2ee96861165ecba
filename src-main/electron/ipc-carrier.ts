/** The bridge over Electron's IPC: one dispatcher for each web contents, ended when its page goes. Only our own main frames are heard. */
import type { IpcMain, IpcMainEvent, WebContents } from 'electron'
import type { BridgeHandlers } from '../api/bridge.ts'
import { asFrame } from '../api/bridge-frames.ts'
import { createDispatcher } from '../bridge/dispatch.ts'
import type { Dispatcher } from '../bridge/dispatch.ts'
import type { Env } from '../base/env.ts'
import { isOwnPage } from './security.ts'

export const upChannel = 'bridge:up'
export const downChannel = 'bridge:down'

export function carryByIpc(ipc: IpcMain, handlers: BridgeHandlers, env: Env): () => void {
  const dispatchers = new Map<number, Dispatcher>()

  function dispatcherOf(contents: WebContents): Dispatcher {
    const known = dispatchers.get(contents.id)
    if (known) return known
    const made = createDispatcher(
      handlers,
      frame => {
        if (!contents.isDestroyed()) contents.send(downChannel, frame)
      },
      (error, method) => {
        env.log.log('warn', 'bridge call failed', { method, error: error instanceof Error ? error.message : String(error) })
      },
    )
    dispatchers.set(contents.id, made)
    const end = (): void => {
      made.close()
      dispatchers.delete(contents.id)
    }
    contents.once('destroyed', end)
    contents.once('render-process-gone', end)
    // A reload begins anew: what the former page had open ends.
    contents.once('did-start-navigation', details => {
      if (details.isMainFrame && !details.isSameDocument) end()
    })
    return made
  }

  const onFrame = (event: IpcMainEvent, frame: unknown): void => {
    if (event.senderFrame === null || event.senderFrame.parent !== null || !isOwnPage(event.senderFrame.url)) return
    try {
      dispatcherOf(event.sender).receive(asFrame(frame))
    } catch {
      /* not a frame: nothing is owed to who sends such */
    }
  }
  ipc.on(upChannel, onFrame)
  return () => {
    ipc.off(upChannel, onFrame)
    for (const dispatcher of dispatchers.values()) dispatcher.close()
    dispatchers.clear()
  }
}
