/**
 * Text of the cluster, made safe to read: what would be invisible, would turn the direction of the text around, or would
 * steer a terminal becomes a visible sign. It is never HTML: Vue writes it as text.
 */

/** Characters that turn the direction of what follows: overrides, embeddings, isolates and marks. */
const directions = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g
/** Control characters but tab, line feed and escape; those beyond ASCII have no sign of their own. */
// oxlint-disable-next-line no-control-regex -- these are the characters to be replaced
const controls = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f]/g
const highControls = /[\u0080-\u009f]/g
// oxlint-disable-next-line no-control-regex -- operating-system commands (titles, links, the clipboard), and sequences that move the cursor
const commands = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b\[[0-9;?]*[A-Za-ln-z]/g

function signOf(control: string): string {
  const code = control.charCodeAt(0)
  return String.fromCharCode(0x2400 + (code === 0x7f ? 0x21 : code))
}

/** For logs: colour sequences (CSI … m) stay. */
export function visible(text: string): string {
  return text.replace(commands, '').replace(controls, signOf).replace(highControls, '·').replace(directions, '·')
}

// oxlint-disable-next-line no-control-regex -- these are what is looked for
const suspicious = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/

/** For all other text: escapes are signs too. */
export function plain(text: string): string {
  return suspicious.test(text) ? visible(text).replaceAll('\u001b', '␛') : text
}

/** A copy of an object whose texts are all `plain`, for showing; the object itself where they are already. */
export function plainObject<T>(object: T): T {
  return plainValue(object) as T
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'string') return plain(value)
  if (value === null || typeof value !== 'object') return value
  let isSame = true
  const entries = Object.entries(value).map(([name, item]: [string, unknown]): [string, unknown] => {
    const entry: [string, unknown] = [plain(name), plainValue(item)]
    isSame &&= entry[0] === name && entry[1] === item
    return entry
  })
  if (isSame) return value
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries)
}
