/** Where the program's own files are: the project's directory, from source as from a bundle below it, or the packaged app's. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

function nearestPackage(from: string): string {
  for (let directory = from; directory !== dirname(directory); directory = dirname(directory)) if (existsSync(join(directory, 'package.json'))) return directory
  throw new Error(`assertion failed: no package.json above ${from}`)
}

/** The nearest directory with a package.json, above this code. */
export const projectDir = nearestPackage(import.meta.dirname)
