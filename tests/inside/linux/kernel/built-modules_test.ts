// A module that is built against the headers of Debian's kernels, in a VM with KASLR: stops by name
// and by line over five reloads, the same in the past, with variables and stacks; names as the
// kernel prints them; two modules that have functions
// of one name; and counts. Everything is fetched:
// EL2_LONG.

import assert from "node:assert/strict";
import type { StopHit } from "../../../../src/model/queries/stop-rule.ts";
import type { TableName } from "../../../../src/model/queries/tables.ts";
import type { AnyArguments } from "../../../../src/model/queries/query-arguments.ts";
import { letIn } from "../../../../src/session/recordings/past/input.ts";
import { BackTo, type Reached, type RunUpTo, type Sought } from "../../../../src/session/recordings/past/back-to.ts";
import { momentOf, Past } from "../../../../src/session/recordings/past/past.ts";
import type { Rerun } from "../../../../src/session/recordings/past/rerun.ts";
import { loaded } from "../../../../src/session/snapshots/begin.ts";
import type { SessionPlan } from "../../../../src/model/plans/plan.ts";
import { planText } from "../../../../src/app/configuration/plan-run.ts";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { namesOf } from "../../../../src/session/inspection/execution/code-names.ts";
import { ModuleCode } from "../../../../src/session/inspection/execution/module-code.ts";
import { readExecuted } from "../../../../src/session/inspection/execution/read-executed.ts";
import { GuestConsole, Guests } from "../../../guests/guest.ts";
import { rightQuery } from "../../../session/inspection/system.ts";
import { longTest } from "../../../support/long.ts";
import { PROMPT } from "../../../support/console.ts";
import { assertPlanned } from "../../../support/planned.ts";
import { rowsIn } from "../rows.ts";
import { lineOf, SCRIBE, SCRIBE_KERNELS, SCRIBE_VM as VM, type ScribeGuest, scribeGuest, type ScribeKernelName } from "../scribe.ts";

/** Virtual seconds of a boot, and of a command. */
const BOOT = 120, COMMAND = 60;
const RELOADS = 5;

const load = (name: string) => `insmod /drivers/${name}.ko`;
/** The twin is loaded where the module was, so that the module has another place each time. */
const RELOADED = Array.from({ length: RELOADS }, (_, index) => {
  const [before, after] = index % 2 ? ["rmmod twin", "true"] : ["true", load("twin")];
  return `${load("scribe")}; echo ${index + 1} > /proc/scribe; ${before}; rmmod scribe; ${after}`;
}).join("; ");

class Machine {
  readonly guests: Guests;
  readonly console: GuestConsole;

  constructor(readonly plan: SessionPlan, counts: boolean) {
    this.guests = new Guests(assemble(plan, undefined, counts));
    this.console = this.guests.console(VM);
  }

  /** @param counts whether its core counts what it executes */
  static async start({ folder }: ScribeGuest, counts = false): Promise<Machine> {
    const planned = await planText(await Deno.readTextFile(`${folder}/vm.toml`), undefined, folder);
    assertPlanned(planned);
    const machine = new Machine({ ...planned.run, turbo: true }, counts);
    await machine.console.expect(PROMPT, BOOT);
    return machine;
  }

  get system() {
    return this.guests.system;
  }

  async command(line: string): Promise<string> {
    return (await this.console.command(`${line}; echo EL2-"DONE"`, /\n([^]*)EL2-DONE\n/, COMMAND))[1];
  }

  ask(table: TableName, args: AnyArguments = {}) {
    return this.system.inspector.answer(rightQuery(table, args));
  }

  /** Runs until a rule stops it. */
  toStop(): StopHit {
    const { machine, stops } = this.system;
    stops.goOn();
    for (const last = machine.time + COMMAND * 1e9; machine.time < last;) {
      const result = machine.run(last, 1000), hit = stops.take();
      if (hit && hit !== "passed") return hit;
      if (result.kind === "idle") machine.skipTo(Math.min(result.next, last));
    }
    throw new Error(`nothing has stopped the machine: ${this.console.text.slice(-500)}`);
  }
}

for (const kernel of Object.keys(SCRIBE_KERNELS) as ScribeKernelName[]) {
  longTest(`a module that is built for Linux ${kernel} is stopped in over five reloads with KASLR, and in the past`, async () => {
    await using guest = await scribeGuest(kernel);
    const machine = await Machine.start(guest), { system, plan } = machine, { stops } = system;
    const [linux] = rowsIn("linux.ls", machine.ask("linux.ls", { vm: `vm:${VM}` }));
    assert.ok(linux.kaslr !== null && BigInt(linux.kaslr) !== 0n, `${linux.release} has moved itself by ${linux.kaslr}`);
    system.symbols.give(VM, guest.scribe, "scribe.ko");

    const source = (await Deno.readTextFile(SCRIBE)).split("\n");
    const note = lineOf(source, "scribe_total += weigh(value);"), start = lineOf(source, "int __init scribe_init");
    const before = {
      at: system.machine.boundary,
      instructions: system.instructions(),
      moment: momentOf(system),
      inputs: 0,
      state: system.save(),
    };
    const places = [`${VM}:scribe:scribe_init`, `${VM}:scribe.c:${note}`, `${VM}:scribe:scribe_exit`];
    for (const at of places) stops.change({ kind: "place", at });
    const where = () => rowsIn("stop.ls", machine.ask("stop.ls")).map(({ place }) => place);
    assert.deepEqual(where(), places.map(() => "waits for module scribe"));

    const line = `${RELOADED}; echo EL2-"OVER"\n`;
    const input = {
      at: system.machine.boundary,
      settled: system.machine.settled,
      input: { kind: "console", console: VM, bytes: new TextEncoder().encode(line) },
    } as const;
    letIn(system, input.input);
    const hits: { readonly rule: string; readonly instructions: number; readonly pc: bigint }[] = [];
    for (let count = 0; count < 4 * RELOADS; count++) {
      const { rule } = machine.toStop(), [vcpu] = system.symbols.vcpus(VM), { pc } = vcpu.registers;
      hits.push({ rule, instructions: system.instructions(), pc });
      const stack = rowsIn("vcpu.stack", machine.ask("vcpu.stack", { vcpu: `vcpu:${VM}/0` }));
      const names = stack.map(({ symbol }) => symbol ?? "");
      const [top] = stack, at = top.source?.replace(/^.*\//, "");
      // The first instruction may be of its first statement.
      if (rule === "stop:1") {
        assert.match(`${names[0]} ${at}`, new RegExp(`^scribe_init \\[scribe\\] scribe.c:(${start}|${start + 2})$`));
      } else if (rule === "stop:2") {
        assert.match(names[0], /^scribe_note(\+0x[0-9a-f]+)? \[scribe\]$/);
        assert.equal(at, `scribe.c:${note}`);
        assert.match(names[1], count % 4 === 1 ? /^scribe_init\+0x[0-9a-f]+ \[scribe\]$/ : /^scribe_write\+0x[0-9a-f]+ \[scribe\]$/);
      } else assert.match(names[0], /^scribe_exit \[scribe\]$/);
      assert.ok(names.some((name) => /^(do_one_initcall|vfs_write|__(arm64|se)_sys_delete_module)/.test(name)), names.join());
    }
    assert.deepEqual(hits.map(({ rule }) => rule), Array.from({ length: RELOADS }, () => ["stop:1", "stop:2", "stop:2", "stop:3"]).flat());
    assert.ok(new Set(hits.map(({ pc }) => pc)).size > 3, "it is not always at the same place");
    stops.goOn();
    await machine.console.expect(/EL2-OVER\n/, COMMAND);
    await machine.console.expect(PROMPT, COMMAND);
    assert.deepEqual(where(), places.map(() => "waits for module scribe"));

    // The same in the past, from the end.
    const rerun: Rerun = {
      milestone: (moment) => typeof moment === "number" && moment <= before.instructions ? undefined : before,
      mayBeWritten: () => true,
      pastAt: () => {
        const past = new Past(loaded(plan, before.state), [input]);
        past.system.symbols.give(VM, guest.scribe, "scribe.ko");
        return past;
      },
    };
    const end = momentOf(system);
    for (const [index, at] of places.entries()) {
      let run: RunUpTo = { rerun, moment: end, instructions: system.instructions(), at: system.machine.boundary };
      let reached: Reached | undefined;
      const sought: Sought = { kind: "place", at, place: stops.system.placeOf(at) };
      for (const hit of hits.filter(({ rule }) => rule === `stop:${index + 1}`).reverse()) {
        const way: BackTo = new BackTo(run, sought, reached);
        let found: Reached | "none" | undefined;
        do found = way.advance(Infinity); while (found === undefined);
        assert.ok(found !== "none", `${at} at ${hit.instructions}`);
        reached = found;
        const there = reached.past.system;
        assert.equal(there.instructions(), hit.instructions);
        run = { rerun, moment: momentOf(there), instructions: there.instructions(), at: there.machine.boundary };
      }
    }
    stops.change({ kind: "remove", rule: "all" });

    // Names are those that the kernel prints.
    await machine.command(`${load("scribe")}; ${load("twin")}; echo 0 > /proc/sys/kernel/kptr_restrict`);
    system.symbols.give(VM, guest.twin, "twin.ko");
    const printed = (await machine.command("cat /proc/kallsyms | grep '\\[scribe\\]\\|\\[twin\\]'")).split("\n").flatMap((text) => {
      const found = /^([0-9a-f]{16}) [tT] (\w+)\t\[(\w+)\]/.exec(text.trim());
      return found ? [`${found[1]} ${found[2]} ${found[3]}`] : [];
    });
    const named = system.symbols.all(VM).flatMap(({ module, symbols }) =>
      module ? symbols.map(({ address, name }) => `${address.toString(16)} ${name} ${module.name}`) : []
    );
    assert.ok(printed.length > 6, `${printed}`);
    for (const name of printed) assert.ok(named.includes(name), `${name} is not among ${named}`);

    // A name that two modules have is not guessed; a stop is in both.
    assert.match(machine.ask("code", { at: `${VM}:weigh`, size: 1 }).error ?? "", /^2 modules of vm:d have a symbol weigh; name one: /);
    stops.change({ kind: "place", at: `${VM}:weigh` });
    assert.equal(where()[0]?.split(", ").length, 2);
    for (const name of ["scribe", "twin"]) {
      machine.console.type(`echo 7 > /proc/${name}`);
      machine.toStop();
      const [{ symbol }, { symbol: caller }] = rowsIn("vcpu.stack", machine.ask("vcpu.stack", { vcpu: `vcpu:${VM}/0` }));
      assert.equal(symbol, `weigh [${name}]`);
      assert.match(caller ?? "", new RegExp(`^${name}_note\\+0x`));
      stops.goOn();
      await machine.console.expect(PROMPT, COMMAND);
    }
  });

  longTest(`functions and lines of a module that is built for Linux ${kernel} are counted over five reloads with KASLR`, async () => {
    await using guest = await scribeGuest(kernel);
    const machine = await Machine.start(guest, true), { system } = machine, text = (await Deno.readTextFile(SCRIBE)).split("\n");
    system.symbols.give(VM, guest.scribe, "scribe.ko");
    const modules = new ModuleCode(system.symbols, system.core.counters);
    system.kernelEvents.hearLoads((vm, loaded) => modules.now(vm, loaded));
    system.kernelEvents.follow();
    await machine.command(RELOADED);
    await machine.command(`${load("scribe")}; ${load("twin")}; echo 2000000 > /proc/twin`);
    const executed = readExecuted(system.core.counters.executedPages(), (vm) => namesOf(system.symbols, vm, modules));
    const [{ functions, files }] = executed.filter(({ vm }) => vm === VM);
    const calls = [...functions.values()].filter(({ name }) => /^(scribe_|twin_|weigh)/.test(name));
    assert.deepEqual(
      Object.fromEntries(calls.map(({ name, calls }) => [name, calls]).sort()),
      {
        ...{ scribe_exit: 5, scribe_init: 6, scribe_note: 11, scribe_write: 5, weigh: 11 },
        ...{ "twin_exit [twin]": 2, "twin_init [twin]": 3, "twin_note [twin]": 4, "twin_write [twin]": 1, "weigh [twin]": 4 },
      },
    );
    const lines = [...files].find(([file]) => file.endsWith("/scribe.c"))?.[1];
    const expected = {
      "scribe_heavy += weight;": 0,
      "scribe_total += weigh(value);": 11,
      "scribe_writes++;": 11,
      "if (error)": 5,
      "scribe_note(value);": 5,
      "scribe_note(scribe_factor);": 6,
      'remove_proc_entry("scribe", NULL);': 5,
    };
    for (const [line, count] of Object.entries(expected)) {
      assert.equal(lines?.get(lineOf(text, line))?.executions, count, line);
    }
  });
}
