/**
 * The cluster's DNS server of this node: UDP and TCP on the pod bridge's address, answers for the cluster's domain from
 * the Zone, everything else from the host's own servers. Works without the API, from what was last known.
 */
import { createSocket } from 'node:dgram'
import type { RemoteInfo, Socket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import type { Server, Socket as TcpSocket } from 'node:net'
import dnsPacket from 'dns-packet'
import type { Answer as PacketAnswer, Packet, Question } from 'dns-packet'
import type { Env } from '../../base/env.ts'
import { hostResolver } from '../kubelet/pod-files.ts'
import type { Answer, Zone } from './zone.ts'

/** As CoreDNS: answers of the cluster are short-lived, the kernel's rules change under them. */
const clusterTtl = 30
const soaTtl = 30
/** Answers from outside are kept no longer than this; negative ones half a minute at most. */
const maxCacheSeconds = 300
const maxCacheEntries = 2_000
/** Questions under way to the outside; more are answered with SERVFAIL rather than remembered. */
const maxPending = 1_000
const upstreamTimeoutMs = 2_000
const tcpIdleMs = 20_000
const maxTcpConnections = 200
/** The flag bits of dns-packet. */
const flagAuthoritative = 1 << 10
const flagTruncated = 1 << 9
const flagRecursionDesired = 1 << 8
const flagRecursionAvailable = 1 << 7
const codeServerFailure = 2
const codeMissing = 3

export interface DnsOptions {
  readonly env: Env
  readonly address: string
  readonly port: number
  readonly zone: () => Zone
  readonly domain: string
  /** Servers that lead back here. */ readonly own: readonly string[]
  /** Default: the host's. */ readonly upstreams?: () => Promise<readonly string[]>
}

interface Cached {
  readonly bytes: Buffer
  readonly untilMs: number
}

export class DnsServer {
  readonly #options: DnsOptions
  readonly #cache = new Map<string, Cached>()
  #pending = 0
  #udp: Socket | undefined
  #tcp: Server | undefined

  constructor(options: DnsOptions) {
    this.#options = options
  }

  /** Rejects where the address cannot be had (yet). */
  async start(): Promise<void> {
    const { address, port } = this.#options
    const udp = createSocket('udp4')
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject)
      udp.bind(port, address, () => {
        udp.off('error', reject)
        resolve()
      })
    })
    udp.on('error', fault => {
      this.#options.env.log.log('warn', 'DNS socket', { fault: fault.message })
    })
    udp.on('message', (bytes, peer) => {
      void this.#onDatagram(udp, bytes, peer)
    })
    this.#udp = udp
    const tcp = createServer(socket => {
      this.#onConnection(socket)
    })
    tcp.maxConnections = maxTcpConnections
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject)
      tcp.listen(udp.address().port, address, () => {
        tcp.off('error', reject)
        resolve()
      })
    })
    this.#tcp = tcp
  }

  get port(): number {
    return this.#udp?.address().port ?? 0
  }

  stop(): void {
    this.#udp?.close()
    this.#tcp?.close()
  }

  async #onDatagram(udp: Socket, bytes: Buffer, peer: RemoteInfo): Promise<void> {
    const answer = await this.answer(bytes, false)
    if (answer)
      udp.send(answer, peer.port, peer.address, () => {
        /* a client that went away is no fault of ours */
      })
  }

  #onConnection(socket: TcpSocket): void {
    let buffer = Buffer.alloc(0)
    socket.setTimeout(tcpIdleMs, () => {
      socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('data', chunk => {
      buffer = Buffer.concat([buffer, chunk])
      while (buffer.length >= 2 && buffer.length >= 2 + buffer.readUInt16BE(0)) {
        const message = buffer.subarray(2, 2 + buffer.readUInt16BE(0))
        buffer = buffer.subarray(2 + message.length)
        void this.answer(message, true).then(answer => {
          if (answer && !socket.destroyed) socket.write(withLength(answer))
        })
      }
    })
  }

  /** The answer to one question message, or undefined where it is not one. Exported for tests. */
  async answer(bytes: Buffer, tcp: boolean): Promise<Buffer | undefined> {
    let query: Packet & { rcode?: string }
    try {
      query = dnsPacket.decode(bytes)
    } catch {
      return undefined
    }
    const question = query.questions?.[0]
    if (query.type !== 'query' || !question) return undefined
    try {
      const found = this.#options.zone().lookup(question.name, question.type)
      if (found.kind === 'foreign') return await this.#forward(bytes, query, question, tcp)
      if (found.kind === 'alias') return await this.#alias(bytes, query, question, found.target, tcp)
      return this.#encode(query, question, ownAnswers(question, found), found.kind === 'missing' ? codeMissing : 0, tcp, additionalsOf(found))
    } catch (fault) {
      this.#options.env.log.log('debug', 'DNS question failed', { name: question.name, fault: String(fault) })
      return this.#encode(query, question, [], codeServerFailure, tcp, [])
    }
  }

  #encode(query: Packet, question: Question, answers: PacketAnswer[], code: number, tcp: boolean, additionals: PacketAnswer[]): Buffer {
    const soa: PacketAnswer = {
      name: this.#options.domain,
      type: 'SOA',
      ttl: soaTtl,
      data: { mname: `ns.dns.${this.#options.domain}`, rname: `hostmaster.${this.#options.domain}`, serial: 1, refresh: 7200, retry: 1800, expire: 86_400, minimum: soaTtl },
    }
    const flags = flagAuthoritative | ((query.flags ?? 0) & flagRecursionDesired) | flagRecursionAvailable | code
    const packet: Packet = {
      id: query.id ?? 0,
      type: 'response',
      flags,
      questions: [question],
      answers,
      authorities: answers.length === 0 && code !== codeServerFailure ? [soa] : [],
      additionals,
    }
    const edns = query.additionals?.find(record => record.type === 'OPT')
    if (edns && edns.type === 'OPT')
      packet.additionals = [
        ...additionals,
        { type: 'OPT', name: '.', udpPayloadSize: 4096, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] } as PacketAnswer,
      ]
    const bytes = dnsPacket.encode(packet)
    const limit = tcp ? 65_535 : edns && edns.type === 'OPT' ? Math.max(512, edns.udpPayloadSize) : 512
    if (bytes.length <= limit) return bytes
    return dnsPacket.encode({ ...packet, flags: flags | flagTruncated, answers: [], additionals: [] })
  }

  async #alias(bytes: Buffer, query: Packet, question: Question, target: string, tcp: boolean): Promise<Buffer> {
    const alias: PacketAnswer = { name: question.name, type: 'CNAME', ttl: clusterTtl, data: target }
    const inner = dnsPacket.encode({ id: query.id ?? 0, type: 'query', flags: flagRecursionDesired, questions: [{ ...question, name: target }] })
    const answered = bytes.length > 0 ? await this.answer(inner, tcp).catch(() => undefined) : undefined
    const more = answered ? (dnsPacket.decode(answered).answers ?? []) : []
    return this.#encode(query, question, [alias, ...more], 0, tcp, [])
  }

  async #forward(bytes: Buffer, query: Packet, question: Question, tcp: boolean): Promise<Buffer> {
    const { env } = this.#options
    const key = `${tcp ? 't' : 'u'} ${question.type} ${question.name.toLowerCase()} ${query.additionals?.length ?? 0}`
    const known = this.#cache.get(key)
    if (known && known.untilMs > env.clock.awakeMs()) return withID(known.bytes, query.id ?? 0)
    if (this.#pending >= maxPending) throw new Error('too many questions under way')
    this.#pending++
    try {
      const own = new Set([...this.#options.own, this.#options.address])
      const servers = (this.#options.upstreams ? await this.#options.upstreams() : (await hostResolver()).nameservers).filter(server => !own.has(server))
      let fault: unknown = new Error('the host has no DNS server')
      for (const server of [...servers, ...servers].slice(0, 4)) {
        try {
          const answer = tcp ? await this.#askTcp(server, bytes) : await this.#askUdp(server, bytes)
          this.#remember(key, answer)
          return answer
        } catch (error) {
          fault = error
        }
      }
      throw fault
    } finally {
      this.#pending--
    }
  }

  #remember(key: string, answer: Buffer): void {
    const decoded = dnsPacket.decode(answer)
    const code = (decoded.flags ?? 0) & 15
    if ((code !== 0 && code !== codeMissing) || ((decoded.flags ?? 0) & flagTruncated) !== 0) return
    const ttls = [...(decoded.answers ?? []), ...((decoded.answers ?? []).length === 0 ? (decoded.authorities ?? []) : [])].map(record => ('ttl' in record ? (record.ttl ?? 0) : 0))
    const seconds = Math.min((decoded.answers ?? []).length === 0 ? 30 : maxCacheSeconds, ...(ttls.length > 0 ? ttls : [5]))
    if (seconds <= 0) return
    this.#cache.delete(key)
    this.#cache.set(key, { bytes: answer, untilMs: this.#options.env.clock.awakeMs() + seconds * 1000 })
    if (this.#cache.size <= maxCacheEntries) return
    const oldest = this.#cache.keys().next()
    if (!oldest.done) this.#cache.delete(oldest.value)
  }

  /** A socket for each question: its port and a fresh id are what makes a forged answer unlikely. */
  #askUdp(server: string, bytes: Buffer): Promise<Buffer> {
    const { clock, random } = this.#options.env
    const id = Buffer.from(random.bytes(2)).readUInt16BE(0)
    return new Promise((resolve, reject) => {
      const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4')
      const finish = (fault?: Error): void => {
        cancel()
        socket.close()
        if (fault) reject(fault)
      }
      const cancel = clock.after(upstreamTimeoutMs, () => {
        finish(new Error(`no answer from ${server}`))
      })
      socket.on('error', fault => {
        finish(fault)
      })
      socket.on('message', answer => {
        if (answer.length < 12 || answer.readUInt16BE(0) !== id) return
        resolve(withID(answer, bytes.readUInt16BE(0)))
        finish()
      })
      socket.connect(53, server, () => {
        socket.send(withID(bytes, id))
      })
    })
  }

  #askTcp(server: string, bytes: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: server, port: 53 })
      let buffer = Buffer.alloc(0)
      socket.setTimeout(upstreamTimeoutMs, () => {
        socket.destroy(new Error(`no answer from ${server}`))
      })
      socket.on('error', reject)
      socket.on('connect', () => {
        socket.write(withLength(bytes))
      })
      socket.on('data', chunk => {
        buffer = Buffer.concat([buffer, chunk])
        if (buffer.length < 2 || buffer.length < 2 + buffer.readUInt16BE(0)) return
        resolve(buffer.subarray(2, 2 + buffer.readUInt16BE(0)))
        socket.destroy()
      })
      socket.on('close', () => {
        reject(new Error(`${server} closed the connection`))
      })
    })
  }
}

function ownAnswers(question: Question, found: Answer): PacketAnswer[] {
  const { name } = question
  if (found.kind === 'addresses') return found.addresses.map(data => ({ name, type: 'A' as const, ttl: clusterTtl, data }))
  if (found.kind === 'pointer') return found.names.map(data => ({ name, type: 'PTR' as const, ttl: clusterTtl, data }))
  if (found.kind === 'services') return found.records.map(record => ({ name, type: 'SRV' as const, ttl: clusterTtl, data: { ...record } }))
  return []
}

function additionalsOf(found: Answer): PacketAnswer[] {
  return found.kind === 'services' ? [...found.addresses].map(([name, data]) => ({ name, type: 'A' as const, ttl: clusterTtl, data })) : []
}

function withID(bytes: Buffer, id: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt16BE(id, 0)
  return copy
}

function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}
