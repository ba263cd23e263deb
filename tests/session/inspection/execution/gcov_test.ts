// Coverage beside gcc's own: guests of the demo that gcc has instrumented, in one run.

import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { planText } from "../../../../src/app/configuration/plan-run.ts";
import { namesOf } from "../../../../src/session/inspection/execution/code-names.ts";
import type { ExecutedLine } from "../../../../src/session/inspection/execution/executed.ts";
import { readExecuted } from "../../../../src/session/inspection/execution/read-executed.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { runTo } from "../../snapshots/systems.ts";
import { GcovGuest } from "./gcov.ts";
import { LONG } from "../../../support/long.ts";

const INSTRUCTIONS = LONG ? 100_000_000 : 3_000_000;

Deno.test("the lines of the demo's guests that have run are those of gcov, and so are nearly all counts", () =>
  inFolder(async (folder) => {
    const guests = new Map<string, GcovGuest>();
    for (const name of ["hello", "ping", "pong"]) guests.set(name, await GcovGuest.build(folder, name));
    const demo = await Deno.readTextFile(new URL("../../../../assets/demo.toml", import.meta.url));
    const planned = await planText(demo.replaceAll('"guests/', `"${folder}/`), undefined, folder);
    assert.ok(planned.ok, JSON.stringify(planned));
    const system = assemble({ ...planned.run, turbo: true, tier: LONG ? "auto" : "jit" }, undefined, true);
    runTo(system, INSTRUCTIONS);
    const executed = readExecuted(system.core.counters.executedPages(), (vm) => namesOf(system.symbols, vm));
    assert.equal(executed.reduce((sum, { instructions }) => sum + instructions, 0), system.instructions());
    const wrong: string[] = [];
    let lines = 0, hit = 0, equal = 0, lacking = 0;
    for (const [name, guest] of guests) {
      const vm = executed.find((one) => one.vm === name);
      const vcpu = system.symbols.vcpus(name)[0];
      assert.ok(vm && vcpu?.addressSpace);
      const { stage2 } = vcpu.addressSpace;
      const memory = (address: number, length: number) => {
        const bytes = new Uint8Array(length);
        for (let at = 0; at < length; at += 8) {
          const offset = (address + at) % PAGE_SIZE, page = stage2.lookup(address + at - offset);
          assert.ok(page);
          bytes.set(system.machine.ram.bytes(page.pa + offset, 8), at);
        }
        return bytes;
      };
      assert.deepEqual([...vm.files.keys()].filter((file) => file.includes("/../")), [], "a file has one name");
      for (const [file, expected] of await guest.lines(memory)) {
        const found: ReadonlyMap<number, ExecutedLine> | undefined = [...vm.files].find(([path]) =>
          path.endsWith(`/${file}`) || path === file
        )?.[1];
        assert.ok(found, `${name}: no lines of ${file}`);
        for (const [line, count] of expected) {
          const actual: ExecutedLine | undefined = found.get(line);
          if (!actual) {
            lacking++;
            continue;
          }
          lines++;
          hit += Number(count > 0);
          equal += Number(count === actual.executions);
          if ((actual.executions > 0) !== (count > 0)) wrong.push(`${name}: ${file}:${line}: gcov ${count}, el2 ${actual.executions}`);
        }
      }
    }
    assert.deepEqual(wrong, []);
    // The run ends in the middle of lines; of lines with several statements, the two count others.
    assert.ok(lines > 800 && hit > 600 && hit < lines, `${lines} lines, ${hit} hit`);
    assert.ok(equal > 0.99 * lines && lacking < 0.01 * lines, `${equal} of ${lines} counts are equal, ${lacking} lines are gcov's alone`);
  }));
