/**
 * Tells of a pattern whether the browser's own engine may match it: one that only goes back over one repetition, and
 * that means the same there as in RE2. Of others, a text that every match holds, so that most texts need no match at all.
 */
export interface QuickPattern {
  /** Matches what the pattern matches, in time that grows at most with the text's length squared. */
  regex: RegExp | undefined
  /** Lower case; '' where there is none. */
  needs: string
}

/** A bounded repetition up to this many counts as none. */
const smallRepeat = 8
/** In how many ways small repetitions and alternatives may be combined: the browser's engine may try them all at each place. */
const maxWays = 64
const classEscapes: Readonly<Record<string, string>> = { d: '0-9', w: '0-9A-Za-z_', s: '\\t\\n\\f\\r ' }

/** Undefined for what is not understood here: RE2 alone decides about it. */
export function quickPattern(source: string): QuickPattern | undefined {
  const reader = new Reader(source)
  return reader.read() ? { regex: reader.repeats <= 1 && reader.ways <= maxWays ? new RegExp(reader.out, 'i') : undefined, needs: reader.longest } : undefined
}

class Reader {
  readonly #source: string
  #at = 0
  #run = ''
  #depth = 0
  #alternatives = false
  out = ''
  repeats = 0
  ways = 1
  longest = ''

  constructor(source: string) {
    this.#source = source
  }

  read(): boolean {
    // The meaning of letters beyond ASCII without case differs.
    if (/[^\x20-\x7e]/.test(this.#source)) return false
    while (this.#at < this.#source.length) if (!this.#one()) return false
    this.#endRun()
    if (this.#alternatives) this.longest = ''
    return this.#depth === 0
  }

  #one(): boolean {
    const c = this.#source[this.#at] ?? ''
    if (c === '(') return this.#open()
    if (c === ')') return this.#close()
    if (c === '|') {
      this.#endRun()
      this.#alternatives ||= this.#depth === 0
      // At the top they are tried one after the other: they add up, and do not multiply.
      if (this.#depth > 0) this.ways *= 2
      this.out += c
      this.#at++
      return true
    }
    if (c === '^' || c === '$') {
      this.#endRun()
      this.out += c
      this.#at++
      return !'*+?{'.includes(this.#source[this.#at] ?? ' ')
    }
    const atom = c === '[' ? this.#set() : c === '\\' ? this.#escape() : c === '.' ? this.#take(1, '[^\\n]') : '*+?{}]'.includes(c) ? undefined : this.#literal(c)
    return atom === undefined ? false : this.#quantified(atom.text, atom.letter)
  }

  #take(length: number, text: string): { text: string; letter: string } {
    this.#at += length
    return { text, letter: '' }
  }
  #literal(c: string): { text: string; letter: string } {
    this.#at++
    return { text: c === '/' ? '\\/' : c, letter: c }
  }

  #escape(): { text: string; letter: string } | undefined {
    const c = this.#source[this.#at + 1] ?? ''
    const set = classEscapes[c.toLowerCase()]
    if (set !== undefined) return this.#take(2, `[${c === c.toLowerCase() ? '' : '^'}${set}]`)
    if (c === 'b' || c === 'B') {
      this.#endRun()
      return '*+?{'.includes(this.#source[this.#at + 2] ?? ' ') ? undefined : this.#take(2, `\\${c}`)
    }
    if (!/[^\w ]/.test(c)) return undefined
    this.#at += 2
    return { text: `\\${c}`, letter: c }
  }

  #set(): { text: string; letter: string } | undefined {
    const match = /^\[(\^?)((?:[\w %@#&=!<>~"'`,;/:.|+*?(){}$-]|\\[dws\][.\\^-])+)\]/.exec(this.#source.slice(this.#at))
    if (!match || /[^\w]-[^\w]|\\[dws]-|-\\[dws]/.test(match[2] ?? '')) return undefined
    const inside = (match[2] ?? '').replaceAll(/\\([dws])/g, (_, c: string) => classEscapes[c] ?? '')
    try {
      // A range may be out of order: RE2 says so in its own words.
      return this.#take(match[0].length, new RegExp(`[${match[1] ?? ''}${inside}]`).source)
    } catch {
      return undefined
    }
  }

  #open(): boolean {
    this.#endRun()
    const head = this.#source.startsWith('(?:', this.#at) ? '(?:' : '('
    if (head === '(' && this.#source[this.#at + 1] === '?') return false
    this.#at += head.length
    this.out += '(?:'
    this.#depth++
    return true
  }

  #close(): boolean {
    this.#endRun()
    if (this.#depth === 0) return false
    this.#depth--
    this.#at++
    this.out += ')'
    // A repeated group may go back over its own repetitions.
    if ('*+{'.includes(this.#source[this.#at] ?? ' ')) return false
    if (this.#source[this.#at] !== '?') return true
    this.ways *= 2
    this.#at++
    return this.#append('?')
  }

  #append(text: string): boolean {
    this.out += text
    return !'*+?{'.includes(this.#source[this.#at] ?? ' ')
  }

  #quantified(atom: string, letter: string): boolean {
    const match = /^(?:[*+?]|\{(\d{1,3})(?:,(\d{0,3}))?\})\??/.exec(this.#source.slice(this.#at))
    if (match) {
      const atMost = match[1] === undefined ? (match[0].startsWith('?') ? 1 : Infinity) : match[2] === undefined ? Number(match[1]) : match[2] === '' ? Infinity : Number(match[2])
      if (match[1] !== undefined && (Number(match[1]) > atMost || atMost === 0)) return false
      if (atMost > smallRepeat) this.repeats++
      else this.ways *= atMost - (match[1] === undefined ? 0 : Number(match[1])) + 1
      this.#endRun()
      this.out += atom
      this.#at += match[0].length
      return this.#append(match[0])
    }
    if (letter !== '' && this.#depth === 0) this.#run += letter.toLowerCase()
    else this.#endRun()
    this.out += atom
    return true
  }

  #endRun(): void {
    if (this.#run.length > this.longest.length) this.longest = this.#run
    this.#run = ''
  }
}
