/**
 * Loaded before the control plane that is measured: how long its event loop was held at most. A timer that comes late
 * was held up by the loop or by the machine; the thread's own processor time since its last turn tells which, so the
 * smaller of both is counted. Answers each message of the bench with the longest hold since the last one, and forgets it.
 */
const TICK_MS = 5

let heldMs = 0
let lastMs = performance.now()
let lastCpu = process.threadCpuUsage()

setInterval(() => {
  const nowMs = performance.now()
  const cpu = process.threadCpuUsage()
  const late = nowMs - lastMs - TICK_MS
  const busy = (cpu.user - lastCpu.user + cpu.system - lastCpu.system) / 1000
  heldMs = Math.max(heldMs, Math.min(late, busy))
  lastMs = nowMs
  lastCpu = cpu
}, TICK_MS).unref()

process.on('message', () => {
  process.send?.(heldMs)
  heldMs = 0
})
process.channel?.unref()
