/**
 * `npm start`, `npm run headless`, `npm run practice`. Plain JavaScript, and only this: Node's TypeScript loader costs
 * 130 ms and 14 MB unless V8's code cache, which is switched on here, already holds what it would make.
 *
 *   node src-main/server/run.js start|headless|practice [arguments of the program]
 */
import module from 'node:module'
import { join } from 'node:path'

const cache = join(import.meta.dirname, '..', '..', '.cache', 'code')
module.enableCompileCache(cache)
// For the control plane that `practice` starts, too.
process.env['NODE_COMPILE_CACHE'] = cache
// A process that is killed later has its cache written by then.
setTimeout(() => {
  module.flushCompileCache()
}, 10_000).unref()
await import('./run-program.ts')
