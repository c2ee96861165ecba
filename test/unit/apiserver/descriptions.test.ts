/** Texts of the OpenAPI documents: where they come from and where they go. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describe as withTexts, descriptionsBelow, everyText, packagedFile, textOf } from '../../../src-main/apiserver/openapi/descriptions.ts'
import { projectDir } from '../../../src-main/base/node/project-dir.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quarterdeck-texts-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const declaration = `import { V1Other } from '../models/V1Other.js';
/**
* A kind\\'s \\"own\\" text.
*/
export declare class CoreV1Thing {
    /**
    * Goes on.
    */
    '_continue'?: string;
    'bare'?: string;
    /**
    * First line.
    * Second line.
    */
    'x_dashed_name': number;
    static readonly discriminator: string | undefined;
}
`

async function install(): Promise<void> {
  const models = join(directory, 'node_modules/@kubernetes/client-node/dist/gen/models')
  await mkdir(models, { recursive: true })
  await writeFile(join(models, 'CoreV1Thing.d.ts'), declaration)
}

test('reads the texts of a kind and its fields from declarations', async () => {
  await install()
  const found = await descriptionsBelow(directory)(['io.k8s.api.core.v1.Thing', 'io.k8s.api.core.v1.Unknown'])
  const texts = found.get('io.k8s.api.core.v1.Thing') ?? new Map<string, string>()
  expect({ known: [...found.keys()], own: texts.get(''), fields: ['continue', 'x-dashed-name', 'bare'].map(field => textOf(texts, field)) }).toEqual({
    known: ['io.k8s.api.core.v1.Thing'],
    own: 'A kind\'s "own" text.',
    fields: ['Goes on.', 'First line.\nSecond line.', undefined],
  })
})

test('reads what the build wrote where the package is not installed', async () => {
  await install()
  const names = ['io.k8s.api.core.v1.Thing']
  const written = await everyText(directory, names)
  await rm(join(directory, 'node_modules'), { recursive: true })
  await mkdir(join(directory, 'out/main'), { recursive: true })
  await writeFile(join(directory, packagedFile), JSON.stringify(written))
  expect((await descriptionsBelow(directory)(names)).get('io.k8s.api.core.v1.Thing')?.get('_continue')).toBe('Goes on.')
})

test('leaves documents alone where there are no texts', async () => {
  const schemas = { 'io.k8s.api.core.v1.Thing': { type: 'object', properties: { bare: { type: 'string' } } } }
  expect(await withTexts(schemas, descriptionsBelow(directory))).toBe(schemas)
})

test('describes the fields of Kubernetes from the installed package', async () => {
  const schemas = { 'io.k8s.api.apps.v1.DeploymentSpec': { type: 'object', properties: { replicas: { type: 'integer' }, own: { type: 'string', description: 'kept' } } } }
  const described = (await withTexts(schemas, descriptionsBelow(projectDir)))['io.k8s.api.apps.v1.DeploymentSpec']
  expect(described).toMatchObject({
    description: expect.stringContaining('DeploymentSpec is the specification'),
    properties: { replicas: { type: 'integer', description: expect.stringContaining('Number of desired pods') }, own: { description: 'kept' } },
  })
})
