// `vcpu stack` against gdb, in a stripped kernel of Debian: all that both know is its kallsyms and
// its instructions. gdb reads frames from the file that `el2 symbols -o` writes.

import assert from "node:assert/strict";
import { gdbCommand } from "../../../scripts/native-tools.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { writeSymbols } from "../../../src/app/cli/start/plans/symbol-files.ts";
import { LoopbackPort } from "../../../src/session/debug/gdb-connections.ts";
import { GdbServer } from "../../../src/session/debug/gdb-server.ts";
import type { GdbStop, GdbTarget } from "../../../src/session/debug/gdb-session.ts";
import { answerDebugger } from "../../../src/machine/hypervisor/debug/debug-access.ts";
import { rowsOf } from "../../../src/model/queries/query.ts";
import { STACK } from "../../../src/model/queries/tables.ts";
import type { GuestSymbol } from "../../../src/inside/symbols/symbol-table.ts";
import { ConsoleProgram } from "../../support/console.ts";
import { Random } from "../../support/random.ts";
import { withTempFolder } from "./programs.ts";
import { oneVm } from "../../../src/model/queries/debugged-vms.ts";
import { LONG } from "../../support/long.ts";

const PLACES = LONG ? 200 : 12;
const PATIENCE = 120;
/**
 * Virtual time (ns): after it a kernel has its log and its scheduler; the longest run between two
 * places; and the longest one in the handler of an interrupt.
 */
const BOOTED = 150e6, RUN = 20e6, SHORT = 3e3;
const HANDLER = "generic_handle_domain_irq";

/** A kernel of Debian that boots, with a gdb server in this process. */
async function serve(name: string) {
  const { folder } = await catalogEntry(name);
  const [image, initrd] = await Promise.all(["Image", "initrd"].map((file) => Deno.readFile(`${folder}/${file}`)));
  const system = assemble({
    cpus: 1,
    memory: 512 * 0x10_0000,
    turbo: true,
    seed: 1,
    debug: oneVm("host"),
    what: { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0" },
  });
  const { machine, debugger: { control } } = system;
  if (!control) throw new Error("the machine has no debugger");
  const vcpu = () => control.vcpus()[0];
  const runFor = (time: number): GdbStop => {
    for (const end = machine.time + time; machine.time < end;) {
      const result = machine.run(end);
      if (result.kind === "idle") machine.skipTo(Math.min(end, result.next));
      else if (result.kind !== "suspended") break;
      const stop = control.takeStop();
      if (stop?.cause === "breakpoint") return { cause: "breakpoint", vcpu: 0, pc: vcpu().registers.pc };
      if (stop) control.goOn(undefined);
    }
    return { cause: "asked", vcpu: 0, pc: vcpu().registers.pc };
  };
  runFor(BOOTED);
  const random = new Random(19);
  const stacks: { pc: string; name: string; by: string }[][] = [];
  let inHandler = false;
  const target: GdbTarget = {
    ask: (access) => Promise.resolve(answerDebugger(control, access)),
    stop: () => {},
    // Stops where gdb has no part in the choice: at any kernel instruction.
    go: (step) => {
      control.goOn(control.vcpu(step));
      queueMicrotask(() => {
        let stop: GdbStop;
        do stop = runFor(1 + random.below(inHandler ? SHORT : RUN)); while (stop.pc < 1n << 63n);
        inHandler = stop.cause === "breakpoint";
        server.stopped(stop);
      });
    },
    back: () => {},
    movedTo: () => Promise.resolve(undefined),
    // Notes the stack that gdb prints next.
    monitor: () => {
      const rows = rowsOf(STACK, system.inspector.answer({ table: "vcpu.stack", args: { vcpu: "host/0" } }));
      stacks.push(rows.map(({ symbol, pc, by }) => ({ pc, name: symbol?.replace(/\+0x.*$/, "") ?? "??", by })));
      return Promise.resolve("noted\n");
    },
    detach: () => {},
    kill: () => {},
  };
  const server = new GdbServer(new LoopbackPort(0), target);
  server.stopped({ cause: "asked", vcpu: 0, pc: vcpu().registers.pc });
  const asker = { ask: (query: Parameters<typeof system.inspector.answer>[0]) => Promise.resolve(system.inspector.answer(query)) };
  const { symbols } = system.symbols.all("host")[0];
  return { server, stacks, symbols, asker, served: server.serve(true) };
}

/** `strncmp` and `__pi_strncmp` are one function. gdb may leave out a number after a dot. */
function aliasesOf(symbols: readonly GuestSymbol[]): (name: string) => ReadonlySet<string> {
  const byAddress = new Map<bigint, Set<string>>(), byName = new Map<string, Set<string>>();
  for (const { name, address } of symbols) {
    const names = byAddress.get(address) ?? new Set();
    byAddress.set(address, names.add(name.replace(/\.\d+$/, "")));
    // Of static functions with one name, all count.
    byName.set(name, new Set([...byName.get(name) ?? [], ...names]));
  }
  for (const { name, address } of symbols) for (const alias of byAddress.get(address)!) byName.get(name)!.add(alias);
  return (name) => byName.get(name) ?? new Set([name]);
}

for (const kernel of LONG ? ["debian-bookworm", "debian-trixie"] : ["debian-bookworm"]) {
  Deno.test(`gdb's stack of the stripped kernel of ${kernel} is el2's at ${PLACES} places`, async () => {
    await withTempFolder(async (folder) => {
      const { server, stacks, symbols, asker, served } = await serve(kernel);
      try {
        const path = `${folder}/kernel.elf`;
        assert.match(await writeSymbols(asker, "host", path), /^\d{5,} symbols in /);
        const aliases = aliasesOf(symbols);
        await using gdb = new ConsoleProgram(["sh", "-c", 'exec "$0" "$@" 2>&1', ...await gdbCommand(), path]);
        const commands = ["set confirm off", "set pagination off", "set width 0", "set remotetimeout 60", "set print address on"];
        for (const command of [...commands, `target remote ${server.connections.name}`, `break ${HANDLER}`]) await gdb.type(command);
        const seen = { exceptions: 0, deepest: 0 };
        for (let place = 0; place < PLACES; place++) {
          for (const command of ["continue", "monitor mark", "bt 64", "echo done\\n"]) await gdb.type(command);
          const [, text] = await gdb.expect(/noted\n([^]*?)done\n/, PATIENCE);
          // gdb shows an exception as it shows a signal. A record of zeros ends a stack.
          const shown = [...text.matchAll(/^(?:\(gdb\) )*#\d+ +(?:(0x[0-9a-f]+) in (\S+) \(\)|<signal handler called>)/gm)]
            .map(([, pc, name]) => ({ pc, name })).filter(({ pc }) => pc === undefined || BigInt(pc) !== 0n);
          const ours = stacks[place], message = `place ${place}: ${JSON.stringify(ours)}\n${text}`;
          assert.equal(shown.length, ours.length, message);
          for (const [index, { pc, name }] of shown.entries()) {
            if (pc === undefined) seen.exceptions += Number(ours[index].name.startsWith("el1"));
            else assert.ok(pc === ours[index].pc && aliases(ours[index].name).has(name.replace(/\.\d+$/, "")), `${index}: ${message}`);
          }
          assert.ok(ours.every(({ by }, index) => by === (index === 0 ? "pc" : "code")), message);
          seen.deepest = Math.max(seen.deepest, ours.length);
        }
        assert.ok(seen.exceptions >= PLACES / 8 && seen.deepest >= 15, JSON.stringify(seen));
        await gdb.type("detach");
        await gdb.expect(/detached/, PATIENCE);
      } finally {
        server.ended(0);
        await served;
      }
    });
  });
}
