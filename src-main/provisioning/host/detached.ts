/**
 * Long commands that must not die with the connection (package managers): they run in a session of their own, and this
 * side only follows their log. After a cut the same call finds the command still running, or its result, and follows on.
 */
import { codeOfOutput, ProvisioningError } from './errors.ts'
import { hostFiles } from './host-files.ts'
import type { RemoteHost, RunOptions } from './remote-host.ts'
import { sh } from './shell.ts'

/** Runs `script` as root under a name that is the same after a cut. Throws with a code found in its output. */
export async function runDetached(host: RemoteHost, name: string, script: string, options: RunOptions = {}): Promise<void> {
  const base = `${hostFiles.runDir}/${name}`
  const inner = `( ${script}\n)\necho $? > ${base}.status`
  const result = await host.root(
    sh`mkdir -p ${hostFiles.runDir}
if ! { [ -f ${`${base}.pid`} ] && [ ! -f ${`${base}.status`} ] && kill -0 "$(cat ${`${base}.pid`})" 2>/dev/null; }; then
  rm -f ${`${base}.status`}; : > ${`${base}.log`}
  setsid /bin/sh -c ${inner} > ${`${base}.log`} 2>&1 < /dev/null &
  echo $! > ${`${base}.pid`}
fi
tail -n +1 -s 0.2 -f --pid="$(cat ${`${base}.pid`})" ${`${base}.log`} 2>/dev/null
for i in 1 2 3 4 5; do [ -f ${`${base}.status`} ] && break; sleep 0.2; done
s=$(cat ${`${base}.status`} 2>/dev/null || echo 255); rm -f ${`${base}.pid`} ${`${base}.status`}; [ "$s" = 0 ] && rm -f ${`${base}.log`}; exit "$s"`,
    { idleTimeoutMs: 300_000, timeoutMs: 1_800_000, ...options },
  )
  if (result.status === 0) return
  const what = options.what ?? name
  const code = codeOfOutput(result.stdout)
  const lines = result.stdout.trim().split('\n')
  const telling = lines.findLast(line => /^(E:|Error|error|dpkg: error|No space)|No space left/.test(line)) ?? lines.at(-1) ?? ''
  throw new ProvisioningError(
    code === 'CommandFailed' ? 'PackagesFailed' : code,
    `${what.charAt(0).toUpperCase()}${what.slice(1)} failed with status ${result.status}: ${telling.slice(0, 400)}`,
    { host: host.connection.target.address, command: what, exitStatus: result.status },
  )
}
