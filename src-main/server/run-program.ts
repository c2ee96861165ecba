/**
 * Runs a program of this folder from a fresh bundle. Where none can be made (development packages left out, directory
 * not writable) the sources run as they are.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { freshBundle, programs, useBundle } from './server-bundle.ts'

async function entryOf(program: string): Promise<string> {
  try {
    const directory = await freshBundle()
    useBundle(directory)
    return join(directory, `${program}.js`)
  } catch (fault) {
    process.stderr.write(`quarterdeck: running from source, because no bundle could be made: ${fault instanceof Error ? fault.message : String(fault)}\n`)
    return join(import.meta.dirname, `${program}.ts`)
  }
}

const [program = ''] = process.argv.splice(2, 1)
if ((programs as readonly string[]).includes(program)) await import(pathToFileURL(await entryOf(program)).href)
else {
  process.stderr.write(`usage: run ${programs.join('|')} [ARGUMENTS]\n`)
  process.exitCode = 1
}
