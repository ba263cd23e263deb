// Debian on a CPU with FEAT_MOPS: the C library of its programs copies and sets memory by these
// instructions, which it finds by HWCAP2, and so do kernels since 6.13. Its programs print the same
// as on a CPU without them.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { catalogEntry, type DebianRelease } from "../../src/app/catalog/catalog.ts";
import { readElf } from "../../src/kit/formats/elf.ts";
import { DEFAULT_CPU } from "../../src/cpu/isa/cpus/cpus.ts";
import { disassemble } from "../../src/cpu/isa/disassemble.ts";
import type { Tier } from "../../src/model/plans/plan.ts";
import { PROMPT } from "../support/console.ts";
import { longTest } from "../support/long.ts";
import { Guest } from "./guest.ts";

/** Virtual seconds of a boot, and of a command. */
const BOOT = 60, COMMAND = 60;
/** Lines of the data: the numbers from 1 on. */
const LINES = 100_000;
const DIGESTS = ["md5", "sha1", "sha256", "sha512"];

/** CPY and SET: bits that all of them have, and those that no instruction beside them has. */
const OPERATIONS_MASK = 0xfb20_0c00 | 0, OPERATIONS = 0x1900_0400;
/** The least address of a kernel. */
const KERNEL = 1n << 63n;

/** Copies and sets of programs: memcpy, memset. */
const OF_PROGRAMS = ["cpyf", "set"];
/**
 * Of a kernel: memcpy and memmove, memset; copies from and to programs, and what clears memory of
 * theirs; copies and clearing of pages, which are not temporal.
 */
const OF_KERNEL = ["cpy", "set", "cpyf rt", "cpyf wt", "set t", "cpy wn", "set n"];

/** How often the three parts of an operation were executed. */
const partsOf = (counts: ReadonlyMap<string, number>, operation: string) =>
  ["p", "m", "e"].map((part) => counts.get(operation.replace(/ |$/, part)) ?? 0);

/** A release's guest of the catalog. Its programs are one file, linked to fixed addresses. */
class CountedDebian {
  readonly #guest: Guest;
  readonly #programs: ReturnType<typeof readElf>["segments"];

  constructor(image: Uint8Array, initrd: Uint8Array, cpu: string, tier: Tier) {
    this.#guest = new Guest(image, initrd, [], 256 << 20, { cpu, tier, counts: true });
    const isElf = (at: number) => initrd[at] === 0x7f && initrd[at + 1] === 0x45 && initrd[at + 2] === 0x4c && initrd[at + 3] === 0x46;
    this.#programs = readElf(initrd.subarray(initrd.findIndex((_, at) => isElf(at)))).segments;
  }

  static async of(release: DebianRelease, cpu: string, tier: Tier): Promise<CountedDebian> {
    const { folder } = await catalogEntry(`debian-${release}`);
    return new CountedDebian(await Deno.readFile(`${folder}/Image`), await Deno.readFile(`${folder}/initrd`), cpu, tier);
  }

  /** Boots, and prints the digests of some data and of a copy of it. */
  async digests(): Promise<string[]> {
    await this.#guest.expect(PROMPT, BOOT);
    await this.#guest.command(`seq 1 ${LINES} > /tmp/data; cp /tmp/data /tmp/copy; echo made`, /^made$/m, COMMAND);
    const found: string[] = [];
    for (const name of DIGESTS) {
      for (const file of ["data", "copy"]) {
        const [, digest] = await this.#guest.command(`${name}sum /tmp/${file}`, /^([0-9a-f]{32,128}) /m, COMMAND);
        found.push(digest);
      }
    }
    return found;
  }

  /** How often each of the instructions was executed, by name, in programs and in the kernel. */
  operations(): Record<"programs" | "kernel", Map<string, number>> {
    const found = { programs: new Map<string, number>(), kernel: new Map<string, number>() };
    for (const { address, counts } of this.#guest.system.core.counters.executedPages()) {
      const code = this.#codeAt(address), names = found[address < KERNEL ? "programs" : "kernel"];
      counts.forEach((count, index) => {
        const word = count && code ? code.getInt32(4 * index, true) : 0;
        if ((word & OPERATIONS_MASK) !== OPERATIONS) return;
        const [name] = disassemble(word, address).split("\t");
        names.set(name, (names.get(name) ?? 0) + count);
      });
    }
    return found;
  }

  /** The page of code at an address; undefined if it is not mapped now. */
  #codeAt(address: bigint): DataView | undefined {
    const { core, hypervisor, machine } = this.#guest.system;
    if (address < KERNEL) {
      const segment = this.#programs.find(({ address: first, bytes }) =>
        address >= first && Number(address) + 4096 <= first + bytes.length
      );
      return segment && viewOf(segment.bytes.subarray(Number(address) - segment.address));
    }
    const { registers } = [...hypervisor.scheduler.vcpus].find(({ native }) => !native)!;
    const place = core.questions.inspect(registers, address);
    return place.ok ? viewOf(machine.ram.bytes(place.pa, 4096)) : undefined;
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) => new DataView(buffer, byteOffset, byteLength);

/** Each operation is executed from its first to its last part. */
function assertWhole([first, middle, last]: readonly number[], what: string): void {
  assert.ok(first > 0 && middle >= first && last === first, `${what}: ${[first, middle, last]}`);
}

longTest("Debian's programs, and sid's kernel, copy and set memory by FEAT_MOPS where HWCAP2 has it, with the same results", async () => {
  const data = Array.from({ length: LINES }, (_, index) => `${index + 1}\n`).join("");
  const expected = DIGESTS.flatMap((name) => Array(2).fill(createHash(name).update(data).digest("hex")));
  for (const release of ["trixie", "sid"] as const) {
    const run = async (cpu: string, tier: Tier) => {
      const debian = await CountedDebian.of(release, cpu, tier);
      assert.deepEqual(await debian.digests(), expected, `${release}, ${cpu}, ${tier}`);
      return debian.operations();
    };
    const { programs, kernel } = await run("max", "auto");
    for (const operation of OF_PROGRAMS) assertWhole(partsOf(programs, operation), `${release}: ${operation} of programs`);
    for (const operation of release === "sid" ? OF_KERNEL : []) assertWhole(partsOf(kernel, operation), `${operation} of the kernel`);
    assert.deepEqual(await run("max", "interp"), { programs, kernel });
    assert.deepEqual(await run(DEFAULT_CPU, "auto"), { programs: new Map(), kernel: new Map() });
  }
});
