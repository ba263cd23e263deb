// The performance monitors under Debian's kernel: perf_event_open counts what a program executes
// at EL0 exactly, and takes the same samples in two runs.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { PROMPT } from "../support/console.ts";
import type { Tier } from "../../src/model/plans/plan.ts";
import { Guest, ordinaryGuest } from "./guest.ts";
import { withPrograms } from "./programs.ts";
import { Pstate } from "../../src/cpu/core/interface.ts";
import { EVERY_VM } from "../../src/model/queries/debugged-vms.ts";
import { LONG } from "../support/long.ts";

/** Virtual seconds of a boot, and of a command. */
const BOOT = 30, COMMAND = 20;

/** Values of perf_event_attr's type, and events of the first. */
const HARDWARE = 0, RAW = 4, CYCLES = 0, INSTRUCTIONS = 1;
const ROUNDS = 100_000;

if (LONG) {
  Deno.test("Linux counts the instructions, loads, stores and branches of a program exactly, and samples repeat", async () => {
    const { folder } = await catalogEntry("debian-bookworm");
    const image = await Deno.readFile(`${folder}/Image`);
    const initrd = await withPrograms(await Deno.readFile(`${folder}/initrd`), "perf-events");
    const run = async () => {
      const guest = new Guest(image, initrd, [], 256 << 20, { cpu: "v8.6" });
      await guest.expect(PROMPT, BOOT);
      await guest.command("dmesg | grep perfevents", /armv8_pmuv3 PMU driver, 7 (.* )?counters available/, COMMAND);
      const expected: [type: number, config: number, count: number][] = [
        [HARDWARE, INSTRUCTIONS, 4 * ROUNDS + 3],
        [HARDWARE, CYCLES, 4 * ROUNDS + 3],
        [RAW, 0x06, ROUNDS],
        [RAW, 0x07, ROUNDS],
        [RAW, 0x0d, ROUNDS],
        // Taken: all but the last.
        [RAW, 0x0c, ROUNDS - 1],
      ];
      for (const [type, config, count] of expected) {
        const [, seen] = await guest.command(`perf-events ${type} ${config} ${ROUNDS}`, /^COUNT (\d+)$/m, COMMAND);
        assert.equal(Number(seen), count, `type ${type}, config ${config}`);
      }
      const sampled = await guest.command(`perf-events 0 1 ${ROUNDS} 1001`, /^COUNT (\d+) samples (\d+) hash (\d+)$/m, COMMAND);
      return sampled.slice(1).map(BigInt);
    };
    const [count, samples, hash] = await run();
    assert.deepEqual([count, samples], [BigInt(4 * ROUNDS + 3), BigInt(Math.floor((4 * ROUNDS + 3) / 1001))]);
    // The place after every 1001st instruction: the loop's begins with the first.
    let expected = 0n;
    for (let n = 1001; n <= 4 * ROUNDS + 3; n += 1001) expected = BigInt.asUintN(64, expected * 31n + BigInt(n % 4));
    assert.equal(hash, expected);
    assert.deepEqual(await run(), [count, samples, hash]);
  });

  Deno.test("Debian's perf counts and samples the same in two runs, in different tiers", async () => {
    const { image, initrd } = await ordinaryGuest("bookworm", ["linux-perf"]);
    const run = async (tier: Tier) => {
      const guest = new Guest(image, initrd, [], 1 << 30, { cpu: "v8.6", tier });
      await guest.expect(PROMPT, BOOT);
      const found: string[] = [];
      for (const program of ["true", "echo hello", "cat /proc/version", "ls /bin", "sha256sum /bin/busybox"]) {
        const events = "instructions:u,cycles:u,instructions:k";
        const [, user, cycles, kernel] = await guest.command(
          `perf stat -e ${events} -x, ${program} 2> /tmp/counts > /dev/null; cat /tmp/counts`,
          /^(\d+),,instructions:u[^]*^(\d+),,cycles:u[^]*^(\d+),,instructions:k/m,
          COMMAND,
        );
        assert.equal(cycles, user, "a cycle is an instruction");
        found.push(user, kernel);
      }
      const recorded = await guest.command(
        "perf record -e instructions:u -c 10007 -o /tmp/samples sha256sum /bin/busybox 2>&1 | tail -n 1",
        /\((\d+) samples\)/,
        COMMAND,
      );
      return [...found, recorded[1]];
    };
    const counts = await run("auto");
    assert.deepEqual(await run("interp"), counts);
    const hashing = Number(counts.at(-3));
    assert.ok(Math.abs(Number(counts.at(-1)) - hashing / 10007) < 10, `${counts.at(-1)} samples of ${hashing} instructions`);
  });

  Deno.test("perf stat counts the instructions of 20 programs, twice each, as el2 does one by one", async () => {
    const { image, initrd } = await ordinaryGuest("bookworm", ["linux-perf"]);
    const guest = new Guest(image, initrd, [], 1 << 30, { cpu: "v8.6" });
    await guest.expect(PROMPT, BOOT);
    const counter = new ProgramCounter(guest);
    for (const program of PROGRAMS) {
      for (let time = 0; time < 2; time++) {
        counter.count = undefined;
        const perf = `perf stat -e instructions:u -x, ${program} 2> /tmp/counts > /dev/null; cat /tmp/counts`;
        const [, seen] = await guest.command(perf, /^(\d+),,instructions:u/m, COMMAND);
        assert.equal(Number(seen), counter.count, program);
        assert.ok(counter.count! > 1000, `${program}: ${seen}`);
      }
    }
  });
}

/** Programs whose work is small. */
const PROGRAMS = [
  ...["true", "echo hello", "cat /proc/version", "ls /", "sha256sum /proc/version", "md5sum /proc/devices", "wc /proc/devices"],
  ...["sort /proc/devices", "grep -c a /proc/filesystems", "seq 1 300", "cut -c1-4 /proc/devices", "tr a b < /proc/version"],
  ...["head -c 99 /bin/busybox", "od -x /proc/version", "gzip -c /proc/devices", "sed s/a/b/ /proc/devices", "expr 6 \\* 7"],
  ...["find /sys/bus -maxdepth 1", "basename /a/b/c", "uname -a"],
];

/** Counts the instructions at EL0 of a program that perf starts, from its start to its end. */
class ProgramCounter {
  count: number | undefined;
  /** Whether instructions are stepped: from the fork in perf on. */
  #steps = false;
  #program: unknown;
  #current: unknown;

  constructor({ system }: Guest) {
    const control = system.debugger.give(EVERY_VM, false);
    control.follow({
      is: () => this.#steps,
      steps: true,
      before: ({ registers: { pstate } }) => {
        if (!(pstate & Pstate.ElMask) && this.#program !== undefined && this.#program === this.#current) this.count!++;
      },
      after: () => {},
    });
    system.hypervisor.trace.listen(["task"], ({ name, fields: { comm, pid, next } }) => {
      if (name === "switch") this.#current = next;
      if (name === "fork" && comm === "perf") this.#steps = true;
      if (name === "exec" && this.#steps) [this.count, this.#program, this.#current] = [0, pid, pid];
      if (name !== "exit" || pid !== this.#program) return;
      this.#program = undefined;
      this.#steps = false;
      control.goOn(undefined);
    });
    system.kernelEvents.follow();
  }
}
