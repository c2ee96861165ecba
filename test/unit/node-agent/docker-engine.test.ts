/** How engines' answers reach the container runtime, against an engine made of a few fixed answers on a real socket. */
import { createServer, type Server } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DockerEngine, abortedBy, parts } from '../../../src-main/node-agent/container-runtime/docker-engine.ts'

let dir = ''
let server: Server
let requests: string[] = []
let minimum = '1.12'

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'quarterdeck-engine-'))
  requests = []
  minimum = '1.12'
  server = createServer((request, response) => {
    const url = request.url ?? ''
    let body = ''
    request.on('data', chunk => {
      body += String(chunk)
    })
    request.on('end', () => {
      requests.push(`${request.method ?? ''} ${url}${body === '' ? '' : ` ${body}`}`)
      const answer = (code: number, value: unknown): void => {
        response.writeHead(code, { 'Content-Type': 'application/json' }).end(value === undefined ? '' : JSON.stringify(value))
      }
      if (url === '/version') answer(200, { ApiVersion: '1.55', MinAPIVersion: minimum })
      else if (url.includes('/silent/')) return
      else if (url.includes('/started/')) response.writeHead(304).end()
      else if (url.includes('/logs')) response.writeHead(200).end('123')
      else if (url.endsWith('/containers/create?name=a')) answer(409, { message: 'The name - "a" - is in use' })
      else if (url.includes('/images/create')) answer(404, { message: 'pull access denied' })
      else answer(500, undefined)
    })
  })
  await new Promise<void>(resolve => {
    server.listen(join(dir, 'socket'), resolve)
  })
})
afterEach(async () => {
  vi.unstubAllEnvs()
  server.closeAllConnections()
  await new Promise(resolve => {
    server.close(resolve)
  })
  await rm(dir, { recursive: true })
})

const engine = (): DockerEngine => new DockerEngine(join(dir, 'socket'))

describe('the Docker engine', () => {
  it('is asked in a version that both sides speak, wherever DOCKER_HOST points', async () => {
    vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:1')
    const old = engine()
    await old.ask(docker => docker.getContainer('started').start())
    minimum = '1.44'
    old.forgetVersion()
    await old.ask(docker => docker.getContainer('started').start())
    expect(requests).toEqual(['GET /version', 'POST /v1.41/containers/started/start', 'GET /version', 'POST /v1.44/containers/started/start'])
  })

  it("fails with the engine's status and its own words", async () => {
    const create = engine().ask(docker => docker.createContainer(parts({ name: 'a' }, { Image: 'i' })))
    const pull = engine().ask(docker => docker.createImage({}, parts<object>({ fromImage: 'i' })))
    const gone = new DockerEngine(join(dir, 'nothing')).ask(docker => docker.version())
    const faults = (await Promise.allSettled([create, pull, gone])).map(result =>
      result.status === 'rejected' ? { code: (result.reason as { code: number }).code, message: String((result.reason as Error).message) } : 'no fault',
    )
    expect(faults).toEqual([
      { code: 409, message: 'The name - "a" - is in use' },
      { code: 404, message: 'pull access denied' },
      { code: 0, message: `container runtime: connect ENOENT ${join(dir, 'nothing')}` },
    ])
  })

  it('sends a query as query and a body as body', async () => {
    await engine()
      .ask(docker => docker.createContainer(parts({ name: 'a' }, { Image: 'i' })))
      .catch(() => {})
    expect(requests.at(-1)).toBe('POST /v1.41/containers/create?name=a {"Image":"i"}')
  })

  it('does not wait for ever for an engine that is wedged', async () => {
    await expect(engine().ask(docker => docker.getContainer('silent').start(), 100)).rejects.toThrow('container runtime: connection lost, or no answer in time')
  })

  it('ends a call with its signal', async () => {
    const abort = new AbortController()
    const waiting = engine().ask(docker => docker.getContainer('silent').wait(abortedBy(abort.signal)))
    setTimeout(() => {
      abort.abort()
    }, 100)
    await expect(waiting).rejects.toThrow('aborted')
  })

  it('gives logs as bytes, even where they look like JSON', async () => {
    let text = ''
    for await (const chunk of await engine().stream('/containers/x/logs', { follow: false, stdout: true })) text += String(chunk)
    expect({ text, asked: requests.at(-1) }).toEqual({ text: '123', asked: 'GET /v1.41/containers/x/logs?follow=false&stdout=true' })
  })
})
