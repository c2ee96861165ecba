/** /.well-known/openid-configuration and /openid/v1/jwks: how others verify service-account tokens. */
import type { NonResourceHandler } from '../contracts.ts'
import { objectResponse } from '../respond.ts'
import { tokenIssuer, type ServiceAccountTokens } from './service-account-tokens.ts'

export function openidHandler(tokens: ServiceAccountTokens): NonResourceHandler {
  return async ({ request, info }) => {
    const headers = { 'cache-control': 'public, max-age=3600' }
    if (info.path === '/openid/v1/jwks') return objectResponse(request, await tokens.keySet(), { contentType: 'application/jwk-set+json', headers })
    if (info.path !== '/.well-known/openid-configuration') return undefined
    const document = {
      issuer: tokenIssuer,
      jwks_uri: `${tokenIssuer}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    }
    return objectResponse(request, document, { contentType: 'application/json', headers })
  }
}
