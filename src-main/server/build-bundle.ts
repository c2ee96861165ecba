/** Bundles the server's programs into the directory given. A process of its own: the bundler's 300 MB go with it. */
import { bundleServer } from './server-bundle.ts'

const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: build-bundle DIRECTORY')
await bundleServer(directory)
