/** The whole of what the window gets of Electron: sending frames and hearing them. Sandboxed and isolated. */
import { contextBridge, ipcRenderer } from 'electron'

contextBridge.exposeInMainWorld('quarterdeck', {
  platform: process.platform,
  send: (frame: unknown) => {
    ipcRenderer.send('bridge:up', frame)
  },
  receive: (listener: (frame: unknown) => void) => {
    ipcRenderer.on('bridge:down', (_event, frame: unknown) => {
      listener(frame)
    })
  },
})
