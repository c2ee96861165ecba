/** Entry point of the desktop: the same product as headless, with a window, a menu and a tray. Thin on purpose. */
import { join } from 'node:path'
import { mkdirSync } from 'node:fs'
import { app, BrowserWindow, dialog, ipcMain, Menu, nativeImage, nativeTheme, powerMonitor, protocol, session, shell, Tray } from 'electron'
import { nodeEnv } from '../base/node/node-env.ts'
import { createControlPlane } from '../control-plane/control-plane.ts'
import { defaultDataDir } from '../server/data-dir.ts'
import { startProduct } from '../server/product.ts'
import { carryByIpc } from './ipc-carrier.ts'
import { menuTemplate, trayTemplate } from './menu.ts'
import { declareScheme, serveScheme } from './protocol.ts'
import { appOrigin, restrictAll, restrictSession } from './security.ts'
import { keepBounds, loadBounds, windowOptions } from './window.ts'

const out = join(import.meta.dirname, '..')
const icon = join(app.isPackaged ? process.resourcesPath : join(out, '..', 'resources'), 'icons', 'icon.png')
const argument = (name: string): string | undefined => process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3)
const dataDir = argument('data-dir') ?? defaultDataDir(process.platform, process.env)
const defaultApiPort = 6443

let window: BrowserWindow | undefined
let tray: Tray | undefined
let quitting = false

function show(): void {
  if (!window || window.isDestroyed()) {
    window = new BrowserWindow(windowOptions({ preload: join(out, 'preload', 'preload.cjs'), bounds: loadBounds(dataDir), dark: nativeTheme.shouldUseDarkColors, icon }))
    keepBounds(window, dataDir)
    const opened = window
    opened.once('ready-to-show', () => {
      opened.show()
    })
    // A crashed page is loaded again: the control plane is in this process and lives on.
    opened.webContents.on('render-process-gone', (_event, details) => {
      if (details.reason !== 'clean-exit') opened.reload()
    })
    void opened.loadURL(`${appOrigin}/index.html`)
  }
  if (window.isMinimized()) window.restore()
  window.focus()
}

async function start(): Promise<void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const env = nodeEnv({ level: 'info' })
  restrictSession(session.defaultSession)
  serveScheme(protocol, join(out, 'renderer'))
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(process.platform)))
  const controlPlane = await createControlPlane({ env, dataDir, apiPort: Number(argument('api-port') ?? defaultApiPort) })
  await controlPlane.start()
  const product = await startProduct({ env, controlPlane, dataDir, carrier: 'electron', ...(app.isPackaged ? { resourcesDir: process.resourcesPath } : {}) })
  const stopCarrying = carryByIpc(ipcMain, product.handlers, env)
  // Timers run on awake time (Env), so sleep needs no repair; it is only written down for whoever reads the log.
  powerMonitor.on('suspend', () => {
    env.log.log('info', 'the computer goes to sleep')
  })
  powerMonitor.on('resume', () => {
    env.log.log('info', 'the computer is awake again')
  })
  tray = new Tray(nativeImage.createFromPath(icon).resize({ width: 18, height: 18 }))
  tray.setToolTip('Quarterdeck')
  tray.setContextMenu(
    Menu.buildFromTemplate(
      trayTemplate({
        show,
        quit: () => {
          app.quit()
        },
        apiAddress: controlPlane.address,
      }),
    ),
  )
  tray.on('click', show)
  app.on('before-quit', event => {
    if (quitting) return
    quitting = true
    event.preventDefault()
    stopCarrying()
    void product
      .stop()
      .then(() => controlPlane.stop())
      .catch((fault: unknown) => {
        env.log.log('error', 'the stop failed', { fault: String(fault) })
      })
      .finally(() => {
        app.quit()
      })
  })
  show()
}

// Two control planes must not share one store: the second start shows the first one's window.
if (!app.requestSingleInstanceLock()) app.quit()
else {
  declareScheme(protocol)
  app.enableSandbox()
  restrictAll(app, address => {
    void shell.openExternal(address)
  })
  app.on('second-instance', show)
  app.on('activate', show)
  // The control plane goes on in the tray; quitting is a choice of its own.
  app.on('window-all-closed', () => {})
  app
    .whenReady()
    .then(start)
    .catch((fault: unknown) => {
      dialog.showErrorBox('Quarterdeck cannot start', fault instanceof Error ? fault.message : String(fault))
      app.exit(1)
    })
}
