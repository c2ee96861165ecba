import { describe, expect, it } from 'vitest'
import { requestInfo } from '../../../src-main/apiserver/request-info.ts'

const shown = (method: string, url: string): string => {
  const info = requestInfo(method, url)
  return info.isResource ? [info.verb, info.group, info.version, info.namespace, info.resource, info.name, info.subresource].join('|') : `${info.verb} ${info.path}`
}

describe('requestInfo', () => {
  it.each([
    ['GET', '/api/v1/pods', 'list||v1||pods||'],
    ['GET', '/api/v1/namespaces/n/pods/p', 'get||v1|n|pods|p|'],
    ['GET', '/api/v1/namespaces/n/pods?watch=true', 'watch||v1|n|pods||'],
    ['GET', '/api/v1/namespaces/n/pods?watch=0', 'list||v1|n|pods||'],
    ['GET', '/api/v1/watch/namespaces/n/pods/p', 'watch||v1|n|pods|p|'],
    ['POST', '/apis/apps/v1/namespaces/n/deployments', 'create|apps|v1|n|deployments||'],
    ['PUT', '/apis/apps/v1/namespaces/n/deployments/d/scale', 'update|apps|v1|n|deployments|d|scale'],
    ['DELETE', '/api/v1/namespaces/n', 'delete||v1|n|namespaces|n|'],
    ['PUT', '/api/v1/namespaces/n/finalize', 'update||v1|n|namespaces|n|finalize'],
    ['DELETE', '/api/v1/namespaces/n/pods', 'deletecollection||v1|n|pods||'],
    ['GET', '/api/v1/nodes?fieldSelector=metadata.name%3Da', 'list||v1||nodes|a|'],
    ['GET', '/api/v1/namespaces/n/pods/p/proxy/x/y', 'get||v1|n|pods|p|proxy'],
    ['GET', '/healthz', 'get /healthz'],
    ['GET', '/apis/apps/v1', 'get /apis/apps/v1'],
  ])('reads %s %s', (method, url, expected) => {
    expect(shown(method, url)).toBe(expected)
  })

  it('refuses escapes that are no text', () => {
    expect(() => requestInfo('GET', '/api/v1/%ff')).toThrow('not valid')
  })
})
