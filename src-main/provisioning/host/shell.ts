/** Words for a POSIX shell. Every value that goes into a script passes through here. */

/** One word of the shell that stands for exactly `value`. Throws on NUL, which no argument can hold. */
export function quote(value: string): string {
  if (value.includes('\0')) throw new Error('a shell word cannot hold NUL')
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(value) && !value.startsWith('-') && !value.startsWith('=')) return value
  return `'${value.replaceAll("'", `'\\''`)}'`
}

/** Tag of scripts: every `${value}` is quoted, lists become several words. The text around them is the script itself. */
export function sh(text: TemplateStringsArray, ...values: readonly (string | number | readonly string[])[]): string {
  let out = ''
  text.raw.forEach((part, at) => {
    const value = values[at]
    out += part
    if (value === undefined) return
    out += typeof value === 'object' ? value.map(quote).join(' ') : quote(String(value))
  })
  return out
}
