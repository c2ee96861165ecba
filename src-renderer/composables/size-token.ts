/** A size of styles/tokens.css in px, for what is worked out in script. */
export function sizeToken(name: string, fallback: number): number {
  return parseInt(getComputedStyle(document.documentElement).getPropertyValue(`--${name}`), 10) || fallback
}
