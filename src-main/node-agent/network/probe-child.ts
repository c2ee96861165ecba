/**
 * What runs inside the probe's network namespace. A process cannot enter a namespace by itself in Node, so a second one is
 * started there for a moment; it gets these functions as text, since loading the whole agent again would cost a small host
 * 70 MB. They may use nothing but what they ask Node for themselves.
 */

/** Something that a pod has to reach. */
export interface ProbeTarget {
  /** What it is, for people: `pod to service`. */
  readonly title: string
  readonly address: string
  readonly port: number
  /** Connect; connect and read this line; or ask for this name and find this address (any answer where there is none). */
  readonly greeting?: string
  readonly name?: string
  readonly answer?: string
}

export interface ProbeResult {
  readonly title: string
  /** Undefined: reached. */
  readonly fault?: string
}

/** Listens and hands the listening socket to the parent, which serves it from then on; ends. */
export function listenInside(): void {
  const { createServer } = process.getBuiltinModule('node:net')
  const [address, port] = JSON.parse(process.argv[1] ?? '') as [string, number]
  const server = createServer()
  server.on('error', fault => {
    process.send?.({ fault: fault.message })
    process.exitCode = 1
    process.disconnect()
  })
  server.listen(port, address, () => {
    process.send?.({ listening: true }, server, undefined, () => {
      process.exit(0)
    })
  })
}

/** Tries every target at once and reports. */
export function probeInside(): void {
  const { connect } = process.getBuiltinModule('node:net')
  const { Resolver } = process.getBuiltinModule('node:dns').promises
  const [targets, timeoutMs] = JSON.parse(process.argv[1] ?? '') as [ProbeTarget[], number]
  const reach = (target: ProbeTarget): Promise<string | undefined> =>
    new Promise(resolve => {
      const socket = connect({ host: target.address, port: target.port })
      let text = ''
      const end = (fault: string | undefined): void => {
        socket.destroy()
        resolve(fault)
      }
      socket.setTimeout(timeoutMs, () => {
        end('no answer')
      })
      socket.on('error', fault => {
        end(fault.message)
      })
      socket.on('connect', () => {
        if (target.greeting === undefined) end(undefined)
      })
      socket.on('data', chunk => {
        text += String(chunk)
      })
      socket.on('end', () => {
        end(text.trim() === target.greeting ? undefined : `another one answered (${text.trim().slice(0, 100)})`)
      })
    })
  const ask = async (target: ProbeTarget): Promise<string | undefined> => {
    const resolver = new Resolver({ timeout: timeoutMs, tries: 1 })
    resolver.setServers([`${target.address}:${target.port}`])
    try {
      const addresses = await resolver.resolve4(target.name ?? '')
      return target.answer === undefined || addresses.includes(target.answer) ? undefined : `${target.name} is ${addresses.join(', ')}, not ${target.answer}`
    } catch (fault) {
      const code = (fault as { code?: string }).code ?? ''
      // A name that is not there is an answer too, where only an answer is wanted.
      if (target.answer === undefined && ['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'EREFUSED', 'ENOTIMP'].includes(code)) return undefined
      return code === 'ETIMEOUT' ? 'no answer' : `${target.name}: ${code}`
    }
  }
  const all = targets.map(async target => {
    const fault = await (target.name === undefined ? reach(target) : ask(target))
    return { title: target.title, ...(fault === undefined ? {} : { fault }) }
  })
  void Promise.all(all).then(results => {
    process.send?.({ results }, undefined, undefined, () => {
      process.exit(0)
    })
  })
}
