// A program for Linux of some 200 bytes that asks whether memory can be made executable, as the
// engine will: it reserves a page and asks for all rights to it. Its exit code is the system's
// error, or 0. A shell cannot ask that, and the engine's own answer is a dump.

import type { Entry } from "../dist/archives.ts";

/** Words of machine code, and the file's fields that differ, by the machine's name. */
const MACHINES = {
  x86_64: {
    // ELF: EM_X86_64.
    machine: 62,
    code: [
      ...[0x31, 0xff], // xor edi, edi: any address
      ...[0xbe, 0x00, 0x10, 0x00, 0x00], // mov esi, 4096
      ...[0x31, 0xd2], // xor edx, edx: PROT_NONE
      ...[0x41, 0xba, 0x22, 0x00, 0x00, 0x00], // mov r10d, MAP_PRIVATE | MAP_ANONYMOUS
      ...[0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff], // mov r8, -1: no file
      ...[0x45, 0x31, 0xc9], // xor r9d, r9d
      ...[0xb8, 0x09, 0x00, 0x00, 0x00], // mov eax, mmap
      ...[0x0f, 0x05], // syscall
      ...[0x48, 0x89, 0xc7], // mov rdi, rax
      ...[0xba, 0x07, 0x00, 0x00, 0x00], // mov edx, PROT_READ | PROT_WRITE | PROT_EXEC
      ...[0xb8, 0x0a, 0x00, 0x00, 0x00], // mov eax, mprotect
      ...[0x0f, 0x05], // syscall
      ...[0x89, 0xc7], // mov edi, eax
      ...[0xf7, 0xdf], // neg edi
      ...[0xb8, 0xe7, 0x00, 0x00, 0x00], // mov eax, exit_group
      ...[0x0f, 0x05], // syscall
    ],
  },
  aarch64: {
    // ELF: EM_AARCH64.
    machine: 183,
    code: [
      0xd2800000, // mov x0, #0: any address
      0xd2820001, // mov x1, #4096
      0xd2800002, // mov x2, #0: PROT_NONE
      0xd2800443, // mov x3, #MAP_PRIVATE | MAP_ANONYMOUS
      0x92800004, // mov x4, #-1: no file
      0xd2800005, // mov x5, #0
      0xd2801bc8, // mov x8, #mmap
      0xd4000001, // svc #0
      0xd28000e2, // mov x2, #PROT_READ | PROT_WRITE | PROT_EXEC
      0xd2801c48, // mov x8, #mprotect
      0xd4000001, // svc #0
      0xcb0003e0, // neg x0, x0
      0xd2800bc8, // mov x8, #exit_group
      0xd4000001, // svc #0
    ].flatMap((word) => [word & 0xff, word >>> 8 & 0xff, word >>> 16 & 0xff, word >>> 24]),
  },
} as const;

type ProbeMachine = keyof typeof MACHINES;

/** All machines for which there is a probe, as `uname -m` names them. */
export const PROBE_MACHINES = Object.keys(MACHINES) as ProbeMachine[];

/** A target's probe as an entry of an archive; none where there is none. */
export function probeEntries(target: string, path: string): Entry[] {
  const machine = PROBE_MACHINES.find((name) => target === `${name}-unknown-linux-gnu`);
  return machine === undefined ? [] : [{ path, data: codeProbe(machine), executable: true }];
}

/** File name of a machine's probe. */
export const probeName = (machine: string) => `code-probe-${machine}`;

const ELF_HEADER = 64, PROGRAM_HEADER = 56, BASE = 0x400000n;

/** The program: an ELF file with one segment, which is the whole file. */
export function codeProbe(name: ProbeMachine): Uint8Array<ArrayBuffer> {
  const { machine, code } = MACHINES[name], start = ELF_HEADER + PROGRAM_HEADER;
  const bytes = new Uint8Array(start + code.length), view = new DataView(bytes.buffer);
  // 64 bits, little-endian, version 1.
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  for (const [offset, value] of [[16, 2], [18, machine], [52, ELF_HEADER], [54, PROGRAM_HEADER], [56, 1]] as const) {
    view.setUint16(offset, value, true);
  }
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BASE + BigInt(start), true);
  view.setBigUint64(32, BigInt(ELF_HEADER), true);
  // PT_LOAD, which may be read and executed; alignment of 64 KiB, the largest page of AArch64.
  view.setUint32(ELF_HEADER, 1, true);
  view.setUint32(ELF_HEADER + 4, 5, true);
  for (const [offset, value] of [[16, BASE], [24, BASE], [32, BigInt(bytes.length)], [40, BigInt(bytes.length)], [48, 0x10000n]] as const) {
    view.setBigUint64(ELF_HEADER + offset, value, true);
  }
  bytes.set(code, start);
  return bytes;
}
