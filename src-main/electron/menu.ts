/** The application's menu and the tray's. */
import type { MenuItemConstructorOptions } from 'electron'

export function menuTemplate(platform: NodeJS.Platform): MenuItemConstructorOptions[] {
  const mac = platform === 'darwin'
  return [
    ...(mac ? [{ role: 'appMenu' } as const] : [{ label: 'File', submenu: [{ role: 'quit' } as const] }]),
    { role: 'editMenu' },
    {
      label: 'View',
      submenu: [
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { type: 'separator' },
        { role: 'togglefullscreen' },
        { role: 'reload' },
        { role: 'toggleDevTools' },
      ],
    },
    { role: 'windowMenu' },
  ]
}

export function trayTemplate(actions: { show(): void; quit(): void; apiAddress: string }): MenuItemConstructorOptions[] {
  return [
    { label: 'Open Quarterdeck', click: actions.show },
    { label: `API ${actions.apiAddress}`, enabled: false },
    { type: 'separator' },
    { label: 'Quit (nodes go on by themselves)', click: actions.quit },
  ]
}
