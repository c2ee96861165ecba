/**
 * Entry point of the node agent: `agent.js [--cleanup] [config]`. Ends with 0 on SIGTERM and SIGINT (containers go on
 * running), with 1 where the configuration is wrong or, for --cleanup, something was left behind.
 */
import { agentPaths } from '../api/agent.ts'
import { nodeEnv } from '../base/node/node-env.ts'
import { startAgent } from './agent.ts'
import { cleanUp } from './cleanup.ts'
import { readConfig } from './config.ts'

const env = nodeEnv()

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const path = args.find(arg => !arg.startsWith('--')) ?? agentPaths.config
  const config = await readConfig(path)
  if (args.includes('--cleanup')) {
    const left = await cleanUp(env, config, agentPaths.stateDir)
    process.stdout.write(`${JSON.stringify({ leftovers: left })}\n`)
    process.exit(left.length === 0 ? 0 : 1)
  }
  // Timers of the environment never keep a process alive; the agent lives until it is told to stop.
  setInterval(() => {}, 2 ** 30)
  process.title = 'quarterdeck-agent'
  const agent = await startAgent({ env, config, stateDir: agentPaths.stateDir })
  // Everything that matters is on disk or in the runtime: a stop that hangs is cut short.
  const stop = (): void => {
    setTimeout(() => {
      process.exit(0)
    }, 3_000)
    void agent.stop().finally(() => {
      process.exit(0)
    })
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

process.on('unhandledRejection', fault => {
  env.log.log('error', 'unhandled rejection', { fault: fault instanceof Error ? fault : String(fault) })
})

main().catch(fault => {
  env.log.log('error', fault instanceof Error ? fault.message : String(fault))
  process.exit(1)
})
