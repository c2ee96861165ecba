export const supportedFormats: ReadonlySet<string> = new Set()
