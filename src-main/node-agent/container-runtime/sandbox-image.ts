/**
 * The pod sandbox's image, made on the node without compiler or registry: a tar with one static ELF program, written
 * here as machine code. As process 1 it blocks SIGINT, SIGTERM and SIGCHLD, waits for them with rt_sigtimedwait, reaps
 * children on SIGCHLD (it is init where pods share their process namespace) and exits 0 on the other two. Blocked
 * signals reach even a process 1 without handlers, so no handler and no libc are needed.
 */

/** SIGINT (2), SIGTERM (15), SIGCHLD (17) as a kernel signal mask. */
const signalMask = (1 << 1) | (1 << 14) | (1 << 16)
const loadAddress = 0x400000
const headerBytes = 64 + 56

/** Machine code of the program; jumps are computed from the parts' lengths. */
export function sandboxCode(architecture: 'x64' | 'arm64'): Buffer {
  return architecture === 'x64' ? assembleX64() : assembleArm64()
}

function assembleX64(): Buffer {
  const setUp = Buffer.from([
    0x68,
    ...u32(signalMask), //          push mask (sign-extended to 64 bits)
    0x48,
    0x89,
    0xe3, //                  mov rbx, rsp
    0xb8,
    ...u32(14),
    0x31,
    0xff, //      mov eax, rt_sigprocmask ; xor edi, edi (SIG_BLOCK)
    0x48,
    0x89,
    0xde,
    0x31,
    0xd2, //      mov rsi, rbx ; xor edx, edx
    0x41,
    0xba,
    ...u32(8),
    0x0f,
    0x05, // mov r10d, 8 ; syscall
  ])
  // rt_sigtimedwait(mask, 0, 0, 8)
  const wait = Buffer.from([0xb8, ...u32(128), 0x48, 0x89, 0xdf, 0x31, 0xf6, 0x31, 0xd2, 0x41, 0xba, ...u32(8), 0x0f, 0x05])
  // wait4(-1, 0, WNOHANG, 0)
  const reap = Buffer.from([0xb8, ...u32(61), 0x48, 0xc7, 0xc7, 0xff, 0xff, 0xff, 0xff, 0x31, 0xf6, 0xba, ...u32(1), 0x45, 0x31, 0xd2, 0x0f, 0x05])
  const compare = (skip: number): Buffer => Buffer.from([0x83, 0xf8, 17, 0x75, skip]) // cmp eax, 17 ; jne +skip
  const again = (back: number): Buffer => Buffer.from([0x85, 0xc0, 0x7f, back & 0xff]) // test eax, eax ; jg back (a child was reaped)
  const jump = (back: number): Buffer => Buffer.from([0xeb, back & 0xff]) // jmp back
  const negative = (back: number): Buffer => Buffer.from([0x85, 0xc0, 0x78, back & 0xff]) // test eax, eax ; js back (interrupted)
  const exit = Buffer.from([0xb8, ...u32(231), 0x31, 0xff, 0x0f, 0x05]) // exit_group(0)
  const afterCompare = wait.length + 5
  const reapEnd = afterCompare + reap.length + 4
  const check = reapEnd + 2
  return Buffer.concat([setUp, wait, compare(reap.length + 4 + 2), reap, again(-(reap.length + 4)), jump(-check), negative(-(check + 4)), exit])
}

function assembleArm64(): Buffer {
  const words: number[] = []
  const movz = (register: number, value: number, shift = 0): number => (0xd2800000 | ((shift / 16) << 21) | ((value & 0xffff) << 5) | register) >>> 0
  const movk = (register: number, value: number, shift: number): number => (0xf2800000 | ((shift / 16) << 21) | ((value & 0xffff) << 5) | register) >>> 0
  const svc = 0xd4000001
  const movReg = (to: number, from: number): number => (0xaa0003e0 | (from << 16) | to) >>> 0
  const branch = (offset: number): number => (0x14000000 | (offset & 0x3ffffff)) >>> 0
  const branchIf = (condition: number, offset: number): number => (0x54000000 | ((offset & 0x7ffff) << 5) | condition) >>> 0
  const compareImmediate = (register: number, value: number): number => (0x7100001f | (value << 10) | (register << 5)) >>> 0 // cmp wN, #value
  words.push(
    movz(9, signalMask & 0xffff),
    movk(9, signalMask >>> 16, 16),
    0xf81f0fe9, //                      str x9, [sp, #-16]!
    0x910003f3, //                      mov x19, sp
    movz(8, 135),
    movz(0, 0),
    movReg(1, 19),
    movz(2, 0),
    movz(3, 8),
    svc, // rt_sigprocmask(SIG_BLOCK, mask, 0, 8)
  )
  const wait = words.length
  words.push(movz(8, 137), movReg(0, 19), movz(1, 0), movz(2, 0), movz(3, 8), svc, compareImmediate(0, 17))
  const skip = words.length
  words.push(0)
  const reap = words.length
  words.push(movz(8, 260), 0x92800000 /* mov x0, -1 */, movz(1, 0), movz(2, 1), movz(3, 0), svc, compareImmediate(0, 0))
  words.push(branchIf(12 /* gt */, reap - words.length))
  words.push(branch(wait - words.length))
  words[skip] = branchIf(1 /* ne */, words.length - skip)
  words.push(compareImmediate(0, 0))
  words.push(branchIf(11 /* lt */, wait - words.length))
  words.push(movz(8, 94), movz(0, 0), svc) // exit_group(0)
  const code = Buffer.alloc(words.length * 4)
  words.forEach((word, index) => {
    code.writeUInt32LE(word >>> 0, index * 4)
  })
  return code
}

/** A static ELF executable with one loadable segment. */
export function sandboxProgram(architecture: 'x64' | 'arm64'): Buffer {
  const code = sandboxCode(architecture)
  const size = headerBytes + code.length
  const elf = Buffer.alloc(headerBytes)
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0], 0) // 64 bits, little endian
  elf.writeUInt16LE(2, 16) // executable
  elf.writeUInt16LE(architecture === 'x64' ? 62 : 183, 18)
  elf.writeUInt32LE(1, 20)
  elf.writeBigUInt64LE(BigInt(loadAddress + headerBytes), 24) // entry
  elf.writeBigUInt64LE(64n, 32) // program headers follow
  elf.writeUInt16LE(64, 52)
  elf.writeUInt16LE(56, 54)
  elf.writeUInt16LE(1, 56)
  elf.writeUInt16LE(64, 58)
  elf.writeUInt32LE(1, 64) // PT_LOAD
  elf.writeUInt32LE(5, 68) // read, execute
  elf.writeBigUInt64LE(BigInt(loadAddress), 80)
  elf.writeBigUInt64LE(BigInt(loadAddress), 88)
  elf.writeBigUInt64LE(BigInt(size), 96)
  elf.writeBigUInt64LE(BigInt(size), 104)
  elf.writeBigUInt64LE(BigInt(0x10000), 112) // alignment: also right for arm64 kernels with 64 KiB pages
  return Buffer.concat([elf, code])
}

/** A tar of the image's file system: `/pause` and an empty `/etc`. */
export function sandboxFileSystem(architecture: 'x64' | 'arm64'): Buffer {
  const program = sandboxProgram(architecture)
  const padding = Buffer.alloc((512 - (program.length % 512)) % 512)
  return Buffer.concat([tarHeader('pause', program.length, 0o755), program, padding, Buffer.alloc(1024)])
}

function tarHeader(name: string, size: number, mode: number): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write(mode.toString(8).padStart(7, '0'), 100)
  header.write('0000000', 108)
  header.write('0000000', 116)
  header.write(size.toString(8).padStart(11, '0'), 124)
  header.write('00000000000', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\u000000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

function u32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff]
}
