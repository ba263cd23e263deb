// The same verdicts on other kernels: of other releases, with pages of 16 KiB, with one and four
// CPUs. Their types, tables and places differ, and so does where KASLR puts them.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { ordinaryGuest } from "../guests/guest.ts";
import { Debian } from "../inside/linux/debian.ts";
import { longTest } from "../support/long.ts";
import { ramdisk, verdictOn } from "./broken-linux.ts";

/** Virtual time (ns) within which a verdict comes, and between two questions. */
const PATIENCE = 60e9, ASKED = 100e6;
const MEMORY = 512 << 20;

const cloud = (release: string) => async () => await Deno.readFile(`${(await catalogEntry(`debian-${release}`)).folder}/Image`);
const KERNELS: Readonly<Record<string, { readonly image: () => Promise<Uint8Array>; readonly cpu?: string }>> = {
  "bookworm": { image: cloud("bookworm") },
  "trixie": { image: cloud("trixie") },
  "trixie with pages of 16 KiB": { image: async () => (await ordinaryGuest("trixie", [], "linux-image-arm64-16k")).image, cpu: "v8.2" },
};

/** By the word that process 1 reads: its verdict, and a line of it. */
const WAYS: Readonly<Record<string, readonly [verdict: string, line: RegExp]>> = {
  "exit": ["panicked", /init \(\/init\) ended with exit code 7/],
  "undefined": ["panicked", /SIGILL at \/init\+0x[0-9a-f]+/],
  "null": ["panicked", /SIGSEGV at \/init\+0x[0-9a-f]+: 0x8 is not mapped/],
  "jump": ["panicked", /the program branched to 0x1234567000/],
  "read-only": ["panicked", /is not permitted at EL0/],
  "memory": ["panicked", /programs have \d+/],
  "mutexes": ["stuck", /waits for the mutex at/],
  "own-mutex": ["stuck", /which it itself holds/],
  "join-circle": ["stuck", /waits for the end of thread/],
  "pipes": ["stuck", /waits for a writer of pipe:/],
  "full-pipe": ["stuck", /waits for the end of its child/],
  "pi": ["waits", /waits for the mutex at/],
  "robust": ["waits", /waits for the mutex at/],
  "futex": ["waits", /waits to be woken at the futex/],
  "pipe": ["waits", /waits for a writer of pipe:/],
  "select": ["waits", /waits for a writer of pipe:/],
  "fifo": ["waits", /waits for a writer of \/fifo/],
  "epoll": ["waits", /waits for events of pipe:/],
  "pair": ["waits", /waits for data from socket:/],
  "connection": ["waits", /waits for data from 127\.0\.0\.1:\d+ \(TCP\)/],
  "flock": ["waits", /waits for a lock of \/init/],
  "stopped": ["waits", /is stopped by SIGSTOP, and waits for SIGCONT/],
  "child-killed": ["waits", /out of memory, and has killed a process: task init/],
};

for (const [name, { image, cpu }] of Object.entries(KERNELS)) {
  for (const cpus of [1, 4]) {
    longTest(`verdicts on ${name} with ${cpus} ${cpus === 1 ? "CPU" : "CPUs"}`, async () => {
      const waiting = Debian.of(await image(), { initrd: await ramdisk({ init: undefined }), memory: MEMORY, cpus, cpu });
      waiting.until(/how\?/);
      for (const [way, [verdict, line]] of Object.entries(WAYS)) {
        const debian = waiting.copy();
        debian.type(`${way}\n`);
        const said = () =>
          `${verdictOn(debian)?.verdict}\n${diagnosisLines(verdictOn(debian)).join("\n")}\n${verdictOn(debian).evidence.join("\n")}`;
        for (let time = 0; verdictOn(debian)?.verdict !== verdict || !line.test(said()); time += ASKED) {
          assert.ok(time < PATIENCE && debian.run(ASKED), `${way}: ${said()}`);
        }
      }
    });
  }
}
