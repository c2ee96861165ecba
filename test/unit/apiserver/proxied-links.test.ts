import { expect, test } from 'vitest'
import { rewriteAddress, rewritePage } from '../../../src-main/apiserver/subresources/proxied-links.ts'

const prefix = '/api/v1/namespaces/n/pods/p/proxy'

test.each([
  ['/', `${prefix}/`],
  ['/a?b=/c', `${prefix}/a?b=/c`],
  ['a/b', 'a/b'],
  ['//other/a', '//other/a'],
  ['https://other/a', 'https://other/a'],
  [`${prefix}/a`, `${prefix}/a`],
])('%s is shown as %s', (address, shown) => {
  expect(rewriteAddress(address, prefix)).toBe(shown)
})

test('only addresses of a page change', () => {
  const page = `<!doctype html><A class="/a" href='/x'>/y</A><img src=/i><p title="/t">a < b</p><script>if (a</b/.x) c("/d")</script><form action="/f" method=post>`
  expect(rewritePage(page, prefix)).toBe(
    `<!doctype html><A class="/a" href='${prefix}/x'>/y</A><img src=${prefix}/i><p title="/t">a < b</p><script>if (a</b/.x) c("/d")</script><form action="${prefix}/f" method=post>`,
  )
})
