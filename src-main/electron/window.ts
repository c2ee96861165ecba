/** The window: isolated, sandboxed, shown when it has something to show, as large as it was left. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserWindow, BrowserWindowConstructorOptions } from 'electron'

export interface Bounds {
  x?: number
  y?: number
  width: number
  height: number
}
const fallback: Bounds = { width: 1440, height: 900 }
const smallest = { minWidth: 900, minHeight: 560 }

export function windowOptions(options: { preload: string; bounds: Bounds; dark: boolean; icon: string }): BrowserWindowConstructorOptions {
  return {
    ...options.bounds,
    ...smallest,
    show: false,
    title: 'Quarterdeck',
    icon: options.icon,
    autoHideMenuBar: true,
    // The ground's colour of each theme, so that nothing flashes before the first paint.
    backgroundColor: options.dark ? '#0a1120' : '#f6f4ee',
    webPreferences: {
      preload: options.preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
    },
  }
}

export function loadBounds(dataDir: string): Bounds {
  try {
    const saved = JSON.parse(readFileSync(join(dataDir, 'window.json'), 'utf8')) as Partial<Bounds>
    if (typeof saved.width !== 'number' || typeof saved.height !== 'number') return fallback
    return {
      width: Math.max(smallest.minWidth, saved.width),
      height: Math.max(smallest.minHeight, saved.height),
      ...(typeof saved.x === 'number' && typeof saved.y === 'number' ? { x: saved.x, y: saved.y } : {}),
    }
  } catch {
    return fallback
  }
}

export function keepBounds(window: BrowserWindow, dataDir: string): void {
  window.on('close', () => {
    try {
      writeFileSync(join(dataDir, 'window.json'), JSON.stringify(window.getNormalBounds()))
    } catch {
      /* a size that is not kept is no reason to stop closing */
    }
  })
}
