/** The worker of a log tab: the engine with a clock. */
import { LogEngine } from './log-engine.ts'
import type { FromWorker, ToWorker } from './log-messages.ts'

/** How long a filter works before the worker looks at its messages again. */
const budgetMs = 15
const tickMs = 100

const engine = new LogEngine()
let taken = 0
let again: ReturnType<typeof setTimeout> | undefined

function say(message: FromWorker): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's own port has no origin
  self.postMessage(message)
}

function tick(): void {
  if (taken > 0) say({ t: 'taken', characters: taken })
  taken = 0
  const began = performance.now()
  const state = engine.tick(began, () => performance.now() - began > budgetMs)
  if (!state) return
  say({ t: 'state', state })
  // Filtering goes on at once; messages that came meanwhile are handled before it.
  if (state.progress < 1) again ??= setTimeout(goOn, 0)
}
function goOn(): void {
  again = undefined
  tick()
}

self.onmessage = (event: MessageEvent<ToWorker>): void => {
  const message = event.data
  const now = performance.now()
  if (message.t === 'text') {
    engine.text(message.source, message.piece, now)
    taken += message.piece.length
  } else if (message.t === 'mark') engine.mark(message.source, message.text, now)
  else if (message.t === 'ended') say({ t: 'answer', id: message.id, value: engine.ended(message.source, now) })
  else if (message.t === 'index') say({ t: 'answer', id: message.id, value: engine.indexOf(message.seq) })
  else if (message.t === 'save') say({ t: 'answer', id: message.id, value: new Blob([...engine.save(message.all, message.labels)], { type: 'text/plain' }) })
  else if (message.t === 'save-source') say({ t: 'answer', id: message.id, value: new Blob([...engine.saveSource(message.source)], { type: 'text/plain' }) })
  else {
    if (message.t === 'filter') engine.filter(message.spec)
    else if (message.t === 'view') engine.view(message.view)
    else if (message.t === 'pause') engine.pause(message.on)
    else engine.clear()
    tick()
  }
}
setInterval(tick, tickMs)
