/** A small image for pods of tests: a static busybox, made here, since no registry can be relied on. */
import { mkdtemp, cp, mkdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand, streamCommand } from '../../../src-main/base/node/command.ts'
import { docker, dockerResult } from '../../../src-main/provisioning/practice/docker.ts'

export const testImage = 'quarterdeck-test-tools:1'
const tools = ['sh', 'cat', 'echo', 'sleep', 'seq', 'wget', 'nslookup', 'httpd', 'nc', 'ls', 'ip', 'true']

/** Makes `testImage` in this machine's Docker unless it is there. Needs the package busybox-static (machine-setup installs it). */
export async function ensureTestImage(): Promise<string> {
  if ((await dockerResult(['image', 'inspect', testImage])).status === 0) return testImage
  const directory = await mkdtemp(join(tmpdir(), 'quarterdeck-image-'))
  try {
    await mkdir(join(directory, 'bin'), { recursive: true })
    const where = (await runCommand('sh', ['-c', 'command -v busybox'])).stdout.trim()
    await cp(where, join(directory, 'bin/busybox'))
    for (const tool of tools) await symlink('busybox', join(directory, 'bin', tool))
    for (const folder of ['tmp', 'etc', 'proc', 'sys', 'dev']) await mkdir(join(directory, folder))
    const tar = streamCommand('tar', ['-C', directory, '-c', '.'])
    await docker(['import', '--change', 'CMD ["/bin/sh"]', '--change', 'ENV PATH=/bin', '-', testImage], { input: tar.stdout })
    await tar.done
    return testImage
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
