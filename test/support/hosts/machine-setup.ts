/**
 * Makes this machine able to run the end-to-end tests: as root on Debian or Ubuntu it installs Docker, Chromium,
 * busybox and debootstrap with apt and starts dockerd when nobody does; elsewhere it says what is missing.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { access, mkdir, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '../../../src-main/base/node/command.ts'
import { dockerIsHere } from '../../../src-main/provisioning/practice/docker.ts'

const programs: readonly { program: string; package: string; why: string }[] = [
  { program: 'docker', package: 'docker.io', why: 'test hosts are containers' },
  { program: 'debootstrap', package: 'debootstrap', why: 'their image is a Debian tree' },
  { program: 'busybox', package: 'busybox-static', why: 'the images of test pods are made of it' },
  { program: 'chromium', package: 'chromium', why: 'window tests run in it' },
]

/**
 * Throws with the list of what is missing where it cannot be installed. Does nothing when all is there. Resolves with the
 * function that ends the dockerd that this call started (nothing where one ran already).
 */
export async function setUpMachine(onProgress: (message: string) => void = () => undefined): Promise<() => Promise<void>> {
  const missing = []
  for (const entry of programs) if (!(await onPath(entry.program))) missing.push(entry)
  if (missing.length > 0) await install(missing, onProgress)
  if (await dockerIsHere()) return () => Promise.resolve()
  if (process.getuid?.() !== 0) throw new Error('Docker does not answer; start it (systemctl start docker)')
  onProgress('Starting dockerd')
  return startDockerDaemon()
}

async function install(missing: readonly { program: string; package: string; why: string }[], onProgress: (message: string) => void): Promise<void> {
  const list = missing.map(entry => `${entry.program} (${entry.why})`).join(', ')
  if (process.getuid?.() !== 0 || !(await onPath('apt-get'))) throw new Error(`missing on this machine: ${list}`)
  onProgress(`Installing ${list}`)
  const names = missing.map(entry => entry.package)
  const options = { environment: { DEBIAN_FRONTEND: 'noninteractive' } }
  const updated = await runCommand('apt-get', ['update', '-q'], options)
  if (updated.status !== 0) throw new Error(`apt-get update failed: ${updated.stderr}`)
  const installed = await runCommand('apt-get', ['install', '-qy', '--no-install-recommends', ...names], options)
  if (installed.status !== 0) throw new Error(`apt-get install ${names.join(' ')} failed: ${installed.stderr}`)
}

async function startDockerDaemon(): Promise<() => Promise<void>> {
  await mkdir('/var/log', { recursive: true })
  const log = await open('/var/log/dockerd-by-tests.log', 'a')
  // A process group of its own: an interrupt of the tests must not take it down under the hosts' feet.
  const daemon = spawn('dockerd', [], { detached: true, stdio: ['ignore', log.fd, log.fd] })
  daemon.unref()
  await log.close()
  for (let tries = 0; tries < 120; tries++) {
    if (await dockerIsHere()) return () => endDockerDaemon(daemon)
    await sleep(250)
  }
  throw new Error('dockerd was started and does not answer; see /var/log/dockerd-by-tests.log')
}

async function endDockerDaemon(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null) return
  const ended = new Promise(resolve => daemon.once('exit', resolve))
  // It was let go of at its start; with nothing else to wait for, Node would leave before it has ended.
  daemon.ref()
  daemon.kill('SIGTERM')
  await ended
}

async function onPath(program: string): Promise<boolean> {
  for (const directory of (process.env['PATH'] ?? '').split(':').concat('/usr/sbin', '/sbin')) {
    try {
      await access(`${directory}/${program}`)
      return true
    } catch {
      /* not in this directory */
    }
  }
  return false
}

if (import.meta.main) {
  await setUpMachine(message => {
    console.log(message)
  })
  console.log('This machine can run the end-to-end tests.')
}
