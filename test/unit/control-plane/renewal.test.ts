import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import { openClusterKeys } from '../../../src-main/control-plane/pki/pki.ts'
import { renewalDueMs } from '../../../src-main/control-plane/pki/renewal.ts'
import { issueLeaf } from '../../../src-main/control-plane/pki/x509.ts'

const directory = await mkdtemp(join(tmpdir(), 'quarterdeck-pki-'))
afterAll(() => rm(directory, { recursive: true, force: true }))

it('is due when the certificate for aggregated servers is', async () => {
  const env = virtualEnv({ seed: 1 })
  const keys = await openClusterKeys({ directory, env })
  const notBeforeMs = Math.floor(env.clock.now() / 1000) * 1000
  const short = await issueLeaf(keys.frontProxy.authority, { commonName: 'front-proxy-client', usages: ['clientAuth'], notBeforeMs, notAfterMs: notBeforeMs + 3_000_000 })
  expect(renewalDueMs(keys)).toBeGreaterThan(notBeforeMs + 3_000_000)
  expect(renewalDueMs({ ...keys, frontProxy: { ...keys.frontProxy, client: short } })).toBe(notBeforeMs + 2_000_000)
})
