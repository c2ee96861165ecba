/** Gives the user a file. */
import { zipOf } from './zip.ts'
import type { LogSession } from './log-session.ts'

/** The browser has read the address by then. */
const keepMs = 60_000

function download(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  setTimeout(() => {
    URL.revokeObjectURL(link.href)
  }, keepMs)
}

function fileName(title: string): string {
  return title.replaceAll(/[^\w.-]+/g, '-')
}

/** `shown` is what the filter leaves, `all` what is kept, `files` one file a container in a zip archive. */
export async function saveLog(session: LogSession, title: string, what: 'shown' | 'all' | 'files'): Promise<void> {
  const sources = session.sources.value
  const name = fileName(title)
  if (what === 'files') {
    const files = await Promise.all(
      sources.map(async (source, i) => ({ name: `${fileName(source.pod)}/${fileName(source.container)}.log`, content: await session.log.saveSource(i) })),
    )
    download(`${name}.zip`, await zipOf(files, new Date()))
    return
  }
  const labels = sources.length > 1 ? sources.map(s => `${s.pod}/${s.container}`) : []
  download(`${name}.log`, await session.log.save(what === 'all', labels))
}
