/**
 * The disk as the embedded store sees it: one directory with flat file names. node-disk.ts is the real one; tests use
 * one in memory that cuts the power, runs full and fails (test/support/store/faulty-disk.ts).
 */
export interface DiskFile {
  size(): Promise<number>
  /** At most `length` bytes from `offset`; fewer only at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>
  /** Writes all of `bytes` at `offset`, or rejects (then any part of it may have been written). */
  write(bytes: Uint8Array, offset: number): Promise<void>
  truncate(length: number): Promise<void>
  /** Resolves when everything written before is on the platter. */
  sync(): Promise<void>
  close(): Promise<void>
}

export interface Disk {
  /** Names of the files in the directory. */
  list(): Promise<string[]>
  /** Opens for reading and writing. 'create' makes a new, empty file (an old one of that name is emptied); 'open' rejects when there is none. */
  open(name: string, mode: 'open' | 'create'): Promise<DiskFile>
  rename(from: string, to: string): Promise<void>
  remove(name: string): Promise<void>
  /** Makes names durable: what was created, renamed and removed before. */
  syncDirectory(): Promise<void>
  /** Takes the directory for this process; rejects with StoreError 'locked' when another one has it. Resolves with the function that gives it back. */
  lock(): Promise<() => Promise<void>>
}
