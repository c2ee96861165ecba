/**
 * The suite's images, made on this machine because no registry is asked: each is a small Debian tree (shell, DNS and HTTP
 * clients) or a static busybox, with the programs that the tests call, under the name that the suite prints. They reach the practice
 * hosts by `docker save` and `docker load`.
 */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { agnhost, cacheDir, moduleDir, noNewPrivileges } from './build.ts'

interface ImageRecipe {
  /** Matches the name without registry. */
  readonly matches: RegExp
  readonly base: 'debian' | 'busybox'
  /** Lines of the image's Dockerfile after FROM. */
  readonly lines: readonly string[]
}

// bash, unlike Debian's other shells, hands variables with names that no shell can use on to its children, as upstream's images do.
const path = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A web server whose data.json names its picture: what the update demo looks for. */
function picture(name: string): string[] {
  return [`RUN echo '{"image": "${name}.jpg"}' > /data.json`, 'CMD ["/agnhost","test-webserver"]', 'EXPOSE 80']
}

const recipes: readonly ImageRecipe[] = [
  {
    matches: /^agnhost:2\.(66\.1|55)$/,
    base: 'debian',
    lines: [path, 'RUN ln -s agnhost /agnhost-2 && mkdir /uploads', 'COPY localhost.crt localhost.key /', 'ENTRYPOINT ["/agnhost"]', 'CMD ["pause"]', 'EXPOSE 80'],
  },
  { matches: /^busybox:/, base: 'busybox', lines: [path, 'CMD ["sh"]'] },
  { matches: /^pause:/, base: 'busybox', lines: ['ENTRYPOINT ["/pause"]'] },
  { matches: /^nonroot:/, base: 'busybox', lines: [path, 'USER 1234', 'ENTRYPOINT ["/bin/id","-u"]'] },
  { matches: /^nonewprivs:/, base: 'debian', lines: [path, 'COPY nnp /nnp', 'USER 1000', 'ENTRYPOINT ["/nnp"]'] },
  { matches: /^glibc-dns-testing:/, base: 'debian', lines: [path] },
  { matches: /^nautilus:/, base: 'debian', lines: [path, ...picture('nautilus')] },
  { matches: /^kitten:/, base: 'debian', lines: [path, ...picture('kitten')] },
  { matches: /^(nginx|perl):/, base: 'debian', lines: [path, 'CMD ["/agnhost","netexec","--http-port=80"]', 'EXPOSE 80'] },
]

const packages = 'bind9-dnsutils,curl,iproute2,iputils-ping,netcat-openbsd,procps,ca-certificates,iptables'

function docker(args: readonly string[]): string {
  return execFileSync('docker', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
}

function debianTree(): string {
  const tar = join(cacheDir, 'debian-2.tar')
  if (existsSync(tar)) return tar
  const tree = join(cacheDir, 'debian')
  rmSync(tree, { recursive: true, force: true })
  execFileSync('debootstrap', ['--variant=minbase', `--include=${packages}`, 'bookworm', tree], { stdio: ['ignore', 'ignore', 'inherit'] })
  copyFileSync(agnhost, join(tree, 'agnhost'))
  rmSync(join(tree, 'bin/sh'))
  symlinkSync('bash', join(tree, 'bin/sh'))
  rmSync(join(tree, 'var/cache/apt'), { recursive: true, force: true })
  execFileSync('tar', ['-C', tree, '-cf', tar, '.'])
  rmSync(tree, { recursive: true, force: true })
  return tar
}

function busyboxTree(): string {
  const tar = join(cacheDir, 'busybox-2.tar')
  if (existsSync(tar)) return tar
  const tree = join(cacheDir, 'busybox')
  rmSync(tree, { recursive: true, force: true })
  for (const folder of ['bin', 'sbin', 'usr/bin', 'usr/sbin', 'etc', 'tmp', 'var', 'root', 'home']) mkdirSync(join(tree, folder), { recursive: true })
  copyFileSync('/bin/busybox', join(tree, 'bin/busybox'))
  for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n'))
    if (applet !== 'busybox' && applet !== 'sh') symlinkSync('busybox', join(tree, 'bin', applet))
  addBash(tree)
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n')
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
  copyFileSync(agnhost, join(tree, 'agnhost'))
  writeFileSync(join(tree, 'pause'), '#!/bin/sh\nexec /agnhost pause\n', { mode: 0o755 })
  execFileSync('tar', ['-C', tree, '-cf', tar, '.'])
  rmSync(tree, { recursive: true, force: true })
  return tar
}

/** bash with its libraries, as sh. */
function addBash(tree: string): void {
  const libraries = [...execFileSync('ldd', ['/bin/bash'], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)].map(match => match[1] ?? '')
  for (const file of ['/bin/bash', ...libraries]) {
    mkdirSync(dirname(join(tree, file)), { recursive: true })
    copyFileSync(file, join(tree, file))
  }
  symlinkSync('bash', join(tree, 'bin/sh'))
}

/** Names that the suite uses and that a recipe makes. */
function imageNames(suite: string): { name: string; recipe: ImageRecipe }[] {
  const printed = execFileSync(suite, ['--list-images'], { encoding: 'utf8', maxBuffer: 1024 * 1024 })
    .trim()
    .split('\n')
    .map(l => l.trim())
  return printed.flatMap(name => {
    const recipe = recipes.find(r => r.matches.test(name.slice(name.lastIndexOf('/') + 1)))
    return recipe ? [{ name, recipe }] : []
  })
}

function exists(name: string): boolean {
  try {
    docker(['image', 'inspect', name, '--format', '{{.Id}}'])
    return true
  } catch {
    return false
  }
}

/** What the name stands for, here or on a host; empty where it is unknown. */
function identity(name: string, host?: string): string {
  const args = [...(host === undefined ? [] : ['exec', host, 'docker']), 'image', 'inspect', name, '--format', '{{.Id}}']
  try {
    return execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}

/** The bases are imported once, and the images share their layer. */
function base(kind: ImageRecipe['base']): string {
  const name = `quarterdeck-upstream-${kind}:2`
  if (!exists(name)) docker(['import', kind === 'debian' ? debianTree() : busyboxTree(), name])
  return name
}

function make(name: string, recipe: ImageRecipe): void {
  if (exists(name)) return
  const context = join(cacheDir, 'image')
  rmSync(context, { recursive: true, force: true })
  mkdirSync(context)
  if (recipe.lines.some(line => line.includes('nnp'))) {
    copyFileSync(noNewPrivileges, join(context, 'nnp'))
    chmodSync(join(context, 'nnp'), 0o4755)
  }
  if (recipe.lines.some(line => line.includes('localhost.crt'))) {
    // The key pair that upstream's image serves TLS with comes from the suite's own module.
    for (const file of ['localhost.crt', 'localhost.key']) copyFileSync(join(moduleDir(), 'test/images/agnhost/porter', file), join(context, file))
  }
  writeFileSync(join(context, 'Dockerfile'), [`FROM ${base(recipe.base)}`, ...recipe.lines].join('\n') + '\n')
  execFileSync('docker', ['build', '-q', '-t', name, context], { env: { ...process.env, DOCKER_BUILDKIT: '0' }, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Makes the images once and loads them on every practice host. */
export async function pushSuiteImages(suite: string): Promise<void> {
  const wanted = imageNames(suite)
  for (const { name, recipe } of wanted) make(name, recipe)
  const hosts = docker(['ps', '--format', '{{.Names}}', '--filter', 'name=quarterdeck-practice']).trim().split('\n').filter(Boolean)
  await Promise.all(
    hosts.map(async host => {
      const missing = wanted.map(w => w.name).filter(name => identity(name) !== identity(name, host))
      if (missing.length > 0) await load(missing, host)
    }),
  )
}

function load(names: readonly string[], host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const save = spawn('docker', ['save', ...names], { stdio: ['ignore', 'pipe', 'inherit'] })
    const into = spawn('docker', ['exec', '-i', host, 'docker', 'load'], { stdio: ['pipe', 'ignore', 'inherit'] })
    save.stdout.pipe(into.stdin)
    save.on('error', reject)
    into.on('error', reject)
    into.on('close', code => {
      if (code === 0) resolve()
      else reject(new Error(`loading the suite's images on ${host} failed`))
    })
  })
}
