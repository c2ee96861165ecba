/** How grave a log line is, by what loggers commonly write. */
export const logLevels = ['error', 'warn', 'info', 'debug', 'other'] as const
export type LogLevel = (typeof logLevels)[number]

const fromWord: Readonly<Record<string, number>> = {
  emerg: 0,
  alert: 0,
  crit: 0,
  critical: 0,
  fatal: 0,
  panic: 0,
  dpanic: 0,
  err: 0,
  error: 0,
  severe: 0,
  warn: 1,
  warning: 1,
  notice: 2,
  info: 2,
  information: 2,
  log: 2,
  debug: 3,
  dbg: 3,
  trace: 3,
  verbose: 3,
  fine: 3,
}
const klog: Readonly<Record<string, number>> = { E: 0, F: 0, W: 1, I: 2 }
/** Numbers of bunyan and pino. */
const fromNumber: readonly (readonly [number, number])[] = [
  [50, 0],
  [40, 1],
  [30, 2],
  [0, 3],
]

/** Levels stand near the beginning; looking further costs time at each of many thousand lines a second. */
const lookedAt = 240
const named = /"(?:level|severity|lvl|loglevel|log\.level)"\s*:\s*"?(\w+)|\b(?:level|severity|lvl)=["']?(\w+)/i
// A word in capitals, or in brackets, or before a colon at the beginning: `error` in a sentence is no level.
const worded =
  /(?:^|[\s[(|:<m])(EMERG|ALERT|CRIT|CRITICAL|FATAL|PANIC|ERR|ERROR|SEVERE|WARN|WARNING|NOTICE|INFO|DEBUG|TRACE)(?=$|[\s\])|:>\u001b,])|[[<](emerg|alert|crit|critical|fatal|panic|err|error|warn|warning|notice|info|debug|trace)[\]>]|^(?:\S+ )?(error|fatal|panic|warning|warn|info|debug):/

/** Index into logLevels. */
export function levelOf(line: string): number {
  const text = line.length > lookedAt ? line.slice(0, lookedAt) : line
  const k = /^[IWEF]\d{4} \d\d:/.test(text) ? klog[text[0] ?? ''] : undefined
  if (k !== undefined) return k
  const match = named.exec(text)
  const word = match?.[1] ?? match?.[2]
  if (word !== undefined) {
    const level = /^\d+$/.test(word) ? fromNumber.find(([from]) => Number(word) >= from)?.[1] : fromWord[word.toLowerCase()]
    if (level !== undefined) return level
  }
  const found = worded.exec(text)
  const said = found?.[1] ?? found?.[2] ?? found?.[3]
  return said === undefined ? 4 : (fromWord[said.toLowerCase()] ?? 4)
}
