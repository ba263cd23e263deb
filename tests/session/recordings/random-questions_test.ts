// Random questions about a run with kept states, their pages in a file for the most part, against
// the same questions to a run without any: a search from the start with a watchpoint.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { SessionRun } from "../../../src/session/engine/session-run.ts";
import { type Accesses, AccessSearch } from "../../../src/session/recordings/past/accesses.ts";
import type { Watched } from "../../../src/session/recordings/looking/looking.ts";
import { EVERY_VM } from "../../../src/model/queries/debugged-vms.ts";
import { filledPages } from "../../../src/session/state/pages.ts";
import { PageFile } from "../../../src/session/state/page-file.ts";
import { MiB, PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { Random } from "../../support/random.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { machinesOf } from "../engine/session-in-thread.ts";
import { demoPlan, hashesOf, runTo } from "../snapshots/systems.ts";
import { resultOf } from "./searches.ts";
import { LONG } from "../../support/long.ts";

const QUESTIONS = 200, LENGTH = 400_000;
/** Registers that MSR alone changes: others reach less far. */
const REGISTERS = ["vbar_el1", "ttbr0_el1", "tpidr_el1", "cntv_cval_el0", "mair_el1"];

/** The author of the last access, and the values. */
const wordsOf = ({ accesses: [last], start }: Accesses) =>
  last ? [last.at, last.instruction?.pc, last.by, String(last.before), String(last.after)] : ["never", String(start?.value)];

const check = () =>
  inFolder(async (folder) => {
    const plan = await demoPlan(), random = new Random(200), system = assemble(plan), plain = assemble(plan);
    const file = PageFile.inFolder(folder, 256 * MiB);
    using _file = file.file;
    const run = new SessionRun(system, machinesOf(plan), undefined, { budget: MiB, file }),
      start = new SessionRun(plain, machinesOf(plan), undefined);
    run.keepStates();
    for (let count = 10_000; count <= LENGTH; count += 10_000) {
      runTo(system, count);
      run.keepNow();
    }
    runTo(plain, LENGTH);
    const pages = [...filledPages(system.machine)].map(([page]) => page), control = system.debugger.give(EVERY_VM, false);
    const vcpus = control.vcpus().map((vcpu) => `vcpu:${control.services.names.vcpu(vcpu)}`), times: number[] = [];
    for (let question = 0; question < QUESTIONS; question++) {
      const vcpu = vcpus[random.below(vcpus.length)], name = REGISTERS[random.below(REGISTERS.length)];
      const pa = pages[random.below(pages.length)] * PAGE_SIZE + 8 * random.below(PAGE_SIZE / 8);
      const watched: Watched = random.below(4) === 0
        ? { kind: "register", vcpu, read: system.inspector.registerOf(vcpu, name), writes: system.inspector.registerWrites(name) }
        : { kind: "memory", watch: { pa, length: 8, kind: "write" } };
      const began = performance.now(), found = resultOf(new AccessSearch(run.upTo(system), watched, 1));
      times.push(performance.now() - began);
      const expected = resultOf(new AccessSearch(start.upTo(plain), watched, 1));
      assert.deepEqual(wordsOf(found), wordsOf(expected), watched.kind === "memory" ? `pa 0x${pa.toString(16)}` : `${name} of ${vcpu}`);
    }
    assert.equal(hashesOf(system), hashesOf(plain));
    times.sort((a, b) => a - b);
    if (LONG) {
      console.log(
        `${QUESTIONS} questions: p50 ${times[QUESTIONS / 2].toFixed(0)} ms, p99 ${times[Math.floor(0.99 * QUESTIONS)].toFixed(0)} ms`,
      );
    }
  });

if (LONG) {
  Deno.test("random questions about a run are answered as by a search from its start, whatever states were kept", check);
}
