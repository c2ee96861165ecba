/** Our own surface: a control plane without controllers, asked in this process. */
import { startControlPlane } from '../../support/running-control-plane.ts'
import { servedSurface, type Surface } from '../../support/schema/surface.ts'

/** Groups that a kube-apiserver alone has not. */
const foreign = new Set(['metrics.k8s.io', 'infra.quarterdeck.app'])

export async function ourSurface(): Promise<Surface> {
  const running = await startControlPlane({ runControllers: false })
  const { controlPlane } = running
  const user = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }
  try {
    return await servedSurface(
      async (url, accept = 'application/json') => {
        const { status, body } = await controlPlane.handle({ method: 'GET', url, headers: { accept }, user })
        if (status !== 200) throw new Error(`${url} was answered with ${status}`)
        if (body.kind === 'object') return body.object
        return body.kind === 'bytes' ? (JSON.parse(Buffer.concat(body.chunks.map(chunk => Buffer.from(chunk))).toString('utf8')) as unknown) : undefined
      },
      group => foreign.has(group),
    )
  } finally {
    await running.stop()
  }
}
