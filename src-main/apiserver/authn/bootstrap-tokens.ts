/** Bootstrap tokens `abcdef.0123456789abcdef`: Secrets of type bootstrap.kubernetes.io/token in kube-system, for new nodes. */
import { timingSafeEqual } from 'node:crypto'
import type { KubernetesObject } from '../../api/meta.ts'
import type { UserInfo } from '../../api/request.ts'
import type { Env } from '../../base/env.ts'
import { places, type LiveCopies } from '../live-copy.ts'

const tokenPattern = /^([a-z0-9]{6})\.([a-z0-9]{16})$/
const groupPattern = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/

interface TokenSecret extends KubernetesObject {
  type?: string
  data?: Record<string, string>
}

/** The token's user, 'invalid' for a token of this form that may not log in, undefined for other forms. */
export function createBootstrapTokens(options: { env: Env; copies: LiveCopies }): { verify(token: string): UserInfo | 'invalid' | undefined } {
  const secrets = options.copies.of<TokenSecret>(places.secrets)
  return {
    verify(token) {
      const match = tokenPattern.exec(token)
      if (!match) return undefined
      const [, id = '', value = ''] = match
      const secret = secrets.get('kube-system', `bootstrap-token-${id}`)
      if (!secret || secret.type !== 'bootstrap.kubernetes.io/token' || secret.metadata.deletionTimestamp !== undefined) return 'invalid'
      const data = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8')
      const wanted = Buffer.from(data('token-secret'))
      const given = Buffer.from(value)
      if (data('token-id') !== id || wanted.length !== given.length || !timingSafeEqual(wanted, given)) return 'invalid'
      if (data('usage-bootstrap-authentication') !== 'true') return 'invalid'
      const expiration = data('expiration')
      if (expiration !== '' && !(options.env.clock.now() < Date.parse(expiration))) return 'invalid'
      const extra = data('auth-extra-groups')
        .split(',')
        .filter(group => group !== '')
      if (!extra.every(group => groupPattern.test(group))) return 'invalid'
      return { name: `system:bootstrap:${id}`, groups: ['system:bootstrappers', ...extra] }
    },
  }
}
