/** Builds the suite, its runner and its test image's program with the installed Go, once per version of the module file. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))
const here = join(root, 'test/upstream')
export const cacheDir = join(root, '.cache/upstream')
export const suite = join(cacheDir, 'e2e.test')
export const ginkgo = join(cacheDir, 'ginkgo')
export const agnhost = join(cacheDir, 'agnhost')
export const noNewPrivileges = join(cacheDir, 'nnp')

function go(args: readonly string[], env: Record<string, string> = {}): void {
  console.error(`go ${args.join(' ')}`)
  const result = spawnSync('go', args, { cwd: here, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, GOFLAGS: '-mod=mod -buildvcs=false', ...env } })
  if (result.error) throw new Error(`Go is needed to build the upstream suite: ${result.error.message}`)
  if (result.status !== 0) throw new Error(`go ${args[0] ?? ''} ended with ${result.status ?? 'a signal'}`)
}

/** Where Go keeps the suite's module. */
export function moduleDir(): string {
  return execFileSync('go', ['list', '-mod=mod', '-m', '-f', '{{.Dir}}', 'k8s.io/kubernetes'], { cwd: here, encoding: 'utf8' }).trim()
}

/** Minutes the first time; nothing afterwards. */
export function buildSuite(): void {
  mkdirSync(cacheDir, { recursive: true })
  const digest = createHash('sha256')
    .update(readFileSync(join(here, 'go.mod')))
    .digest('hex')
  const stamp = join(cacheDir, 'built')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  go(['build', '-o', ginkgo, 'github.com/onsi/ginkgo/v2/ginkgo'])
  go(['build', '-o', agnhost, 'k8s.io/kubernetes/test/images/agnhost'], { CGO_ENABLED: '0' })
  go(['build', '-o', noNewPrivileges, 'k8s.io/kubernetes/test/images/nonewprivs'], { CGO_ENABLED: '0' })
  go(['test', '-c', '-o', suite, 'k8s.io/kubernetes/test/e2e'])
  writeFileSync(stamp, digest)
}
