import type { Duplex } from 'node:stream'

/**
 * Opens a byte stream to a TCP port on a node's loopback (the node agent's server listens there). Provisioning answers
 * it through the node's SSH connection; a test may answer it with a plain socket. Rejects when the node cannot be
 * reached now.
 */
export type NodeDialer = (nodeName: string, port: number, signal?: AbortSignal) => Promise<Duplex>
