/** `$(NAME)` in commands, arguments and variables: a known name is replaced, an unknown reference stays, `$$` is `$`. Pure. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  let out = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '$' || i + 1 >= text.length) {
      out += text[i] ?? ''
      continue
    }
    if (text[i + 1] === '$') {
      out += '$'
      i++
      continue
    }
    const end = text[i + 1] === '(' ? text.indexOf(')', i + 2) : -1
    if (end < 0) {
      out += text[i] ?? ''
      continue
    }
    const name = text.slice(i + 2, end)
    out += lookup(name) ?? `$(${name})`
    i = end
  }
  return out
}
