/** The tests' images, made of this machine's static busybox because no registry is asked. */
import { spawn, execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { hostImageName } from '../../../src-main/provisioning/practice/image.ts'

const run = promisify(execFile)

/** A shell and its tools, and `fetch URL`; sleeps until it is told to end. */
export const busyboxImage = 'quarterdeck.test/busybox:1'
/** An HTTP server on $PORT (80) that answers "<host name> <$VERSION>" and ends cleanly on TERM. */
export const webImage = 'quarterdeck.test/web:1'

const server = `#!/bin/sh
mkdir -p /www
echo "$(hostname) \${VERSION:-1}" > /www/index.html
trap 'kill $server; exit 0' TERM
httpd -f -p "\${PORT:-80}" -h /www &
server=$!
wait $server
`
const sleeper = `#!/bin/sh
trap 'exit 0' TERM
sleep 100000 &
wait $!
`

/** Makes both images in this machine's Docker, for the push to nodes. The hosts' image must exist. */
export async function makeImages(): Promise<void> {
  const tree = await mkdtemp(join(tmpdir(), 'quarterdeck-image-'))
  try {
    for (const folder of ['bin', 'etc', 'tmp', 'root', 'var']) await mkdir(join(tree, folder))
    await chmod(join(tree, 'tmp'), 0o1777)
    await copyFile('/bin/busybox', join(tree, 'bin/busybox'))
    const applets = (await run('/bin/busybox', ['--list'])).stdout
      .trim()
      .split('\n')
      .filter(name => name !== 'busybox')
    await Promise.all(applets.map(name => symlink('busybox', join(tree, 'bin', name))))
    await writeFile(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/false\n')
    await writeFile(join(tree, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
    await addDebianPrograms(tree)
    await writeFile(join(tree, 'bin/fetch'), '#!/bin/sh\nexec curl -sS --max-time "${TIMEOUT:-3}" "$@"\n', { mode: 0o755 })
    await writeFile(join(tree, 'bin/sleeper'), sleeper, { mode: 0o755 })
    await writeFile(join(tree, 'bin/server'), server, { mode: 0o755 })
    await importTree(tree, busyboxImage, '["/bin/sleeper"]')
    await importTree(tree, webImage, '["/bin/server"]')
  } finally {
    await rm(tree, { recursive: true, force: true })
  }
}

export async function removeImages(): Promise<void> {
  await run('docker', ['image', 'rm', '-f', busyboxImage, webImage])
}

/** curl and getent with their libraries out of the hosts' image: a static busybox cannot look names up. */
async function addDebianPrograms(tree: string): Promise<void> {
  const script = 'p="/usr/bin/curl /usr/bin/getent"; tar -C / -ch $(echo $p $(ldd $p | grep -o "/[^ :]*") | tr " " "\\n" | sort -u | sed s,^/,,)'
  const { stdout } = await run('docker', ['run', '--rm', '--entrypoint', 'sh', hostImageName(true), '-c', script], { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 })
  await writeFile(join(tree, 'programs.tar'), stdout)
  await run('tar', ['-C', tree, '-xf', join(tree, 'programs.tar')])
  await rm(join(tree, 'programs.tar'))
}

function importTree(tree: string, name: string, command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const tar = spawn('tar', ['-C', tree, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const into = spawn('docker', ['import', '--change', 'ENV PATH=/bin:/usr/bin', '--change', `CMD ${command}`, '-', name], { stdio: ['pipe', 'ignore', 'inherit'] })
    tar.stdout.pipe(into.stdin)
    tar.on('error', reject)
    into.on('error', reject)
    into.on('close', status => {
      if (status === 0) resolve()
      else reject(new Error(`docker import ${name} failed`))
    })
  })
}
