/** What the main job needs around the window: two hosts, a control plane of its own process, an image archive, a browser. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { docker } from '../../../src-main/provisioning/practice/docker.ts'
import { buildWindow } from '../../../src-main/server/build-window.ts'
import { ensureTestImage } from '../../support/hosts/test-image.ts'
import { removeHosts, startHosts } from '../../support/hosts/hosts.ts'
import type { HostSet } from '../../support/hosts/hosts.ts'
import { launchBrowser, openPage, root, screenshots, shareArtifacts, startHeadless } from '../../support/window/driver.ts'

const set = 'click'
export const sudoPassword = 'open sesame'
export interface Surroundings {
  readonly hosts: HostSet
  readonly page: Page
  /** Everything that the page reported as a fault. */
  readonly faults: string[]
  /** An archive of the test image, as `docker save` writes it. */
  readonly archive: Buffer
  readonly image: string
  /** Ends the control plane and starts it again on the same data. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function prepare(): Promise<Surroundings> {
  const dataDir = await mkdtemp(join(tmpdir(), 'quarterdeck-main-job-'))
  const undo: (() => Promise<unknown>)[] = [() => rm(dataDir, { recursive: true, force: true })]
  const stop = async (): Promise<void> => {
    for (const step of undo.toReversed()) await step()
  }
  try {
    await mkdir(screenshots, { recursive: true })
    await shareArtifacts(dataDir)
    await buildWindow(root, () => {})
    undo.push(() => removeHosts(set))
    const hosts = await startHosts({ set, count: 2, withDocker: [true, false], users: [{ name: 'ada', password: sudoPassword, sudo: 'password' }] })
    const image = await ensureTestImage()
    await docker(['save', '-o', join(dataDir, 'image.tar'), image])
    const archive = await readFile(join(dataDir, 'image.tar'))
    let server = await startHeadless(dataDir)
    undo.push(() => server.stop())
    const browser = await launchBrowser()
    undo.push(() => browser.close())
    const { page, faults } = await openPage(browser, server.ui)
    return {
      hosts,
      page,
      faults,
      archive,
      image,
      stop,
      async restart() {
        await server.stop()
        server = await startHeadless(dataDir)
      },
    }
  } catch (fault) {
    await stop()
    throw fault
  }
}
