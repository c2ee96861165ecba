/** Every group, version, kind, verb, column, path and schema that kube-apiserver v1.37 serves by default is served by us, the same. */
import { expect, it } from 'vitest'
import { digested, readKeptFacts, surfaceDifferences } from '../../support/schema/surface.ts'
import { surfaceExceptions } from './exceptions.ts'
import { ourSurface } from './served.ts'

it('shows the surface of kube-apiserver v1.37, but for the listed exceptions', async () => {
  const theirs = readKeptFacts()
  const differences = surfaceDifferences(theirs, digested(await ourSurface()))
  const isExpected = (fact: string): boolean => surfaceExceptions.some(({ facts }) => facts.test(fact))
  expect(theirs.size).toBeGreaterThan(1_800)
  expect(differences.filter(({ fact }) => !isExpected(fact))).toEqual([])
  // An exception that nothing needs any more goes.
  expect(surfaceExceptions.filter(({ facts }) => !differences.some(({ fact }) => facts.test(fact)))).toEqual([])
})
