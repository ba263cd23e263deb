// `vcpu stack` against gdb: both unwind the same vCPU of a program with debug information, at many
// places: before and after prologues, in leaves, and in functions that were inlined.

import assert from "node:assert/strict";
import { gdbCommand } from "../../../scripts/native-tools.ts";
import { LoopbackPort } from "../../../src/session/debug/gdb-connections.ts";
import { GdbServer } from "../../../src/session/debug/gdb-server.ts";
import type { GdbTarget } from "../../../src/session/debug/gdb-session.ts";
import { answerDebugger } from "../../../src/machine/hypervisor/debug/debug-access.ts";
import { rowsOf } from "../../../src/model/queries/query.ts";
import { STACK } from "../../../src/model/queries/tables.ts";
import { ConsoleProgram } from "../../support/console.ts";
import { debuggedMachine } from "./debugged-machine.ts";
import { type BuildOptions, buildProgram, withTempFolder } from "./programs.ts";

const PATIENCE = 60;

/** A machine with a program, and a gdb server in this process. */
function serve(image: Uint8Array<ArrayBuffer>) {
  const { system, control, stop } = debuggedMachine(image);
  const run = () => {
    const { cause, vcpu, watch } = stop();
    return { cause, vcpu: vcpu.index, pc: vcpu.registers.pc, watch };
  };
  const marks: string[][] = [];
  const target: GdbTarget = {
    ask: (access) => Promise.resolve(answerDebugger(control, access)),
    stop: () => {},
    go: (step, range) => {
      control.goOn(control.vcpu(step), range);
      queueMicrotask(() => server.stopped(run()));
    },
    back: () => {},
    movedTo: () => Promise.resolve(undefined),
    // Notes the stack that gdb prints next.
    monitor: () => {
      const answer = system.inspector.answer({ table: "vcpu.stack", args: { vcpu: "host/0" } });
      marks.push(
        rowsOf(STACK, answer).map(({ symbol, source, by, note }) => {
          const name = String(symbol).replace(/\+0x.*$/, "");
          return `${by === "inline" ? "inline " : ""}${name} ${source?.slice(source.lastIndexOf("/") + 1)}${
            note === null ? "" : ` ${note}`
          }`;
        }),
      );
      return Promise.resolve("noted\n");
    },
    detach: () => {},
    kill: () => {},
  };
  const server = new GdbServer(new LoopbackPort(0), target);
  server.stopped(run());
  return { server, marks, served: server.serve(true) };
}

const BUILDS: readonly BuildOptions[] = [
  { optimize: "-O0" },
  // gdb invents frames for calls that became jumps.
  { optimize: "-O2", dwarf: 4, more: ["-fno-optimize-sibling-calls"] },
  { optimize: "-O1", more: ["-mbranch-protection=pac-ret"] },
];

for (const build of BUILDS) {
  Deno.test(`the stack of a program of gcc ${build.optimize} is gdb's at 60 places`, async () => {
    await withTempFolder(async (folder) => {
      const path = `${folder}/calls.elf`;
      const { server, marks, served } = serve(await buildProgram("calls", path, build));
      try {
        await using gdb = new ConsoleProgram(["sh", "-c", 'exec "$0" "$@" 2>&1', ...await gdbCommand(), path]);
        const commands = ["set confirm off", "set pagination off", "set width 0", "set remotetimeout 60", "set backtrace past-main on"];
        for (const command of [...commands, `target remote ${server.connections.name}`, "break recurse if depth == 1", "continue"]) {
          await gdb.type(command);
        }
        await gdb.expect(/\nBreakpoint 1, /, PATIENCE);
        await gdb.type("delete");
        const stacks: string[][] = [];
        for (let place = 0; place < 60; place++) {
          await gdb.type(`stepi ${1 + place % 3}`);
          await gdb.type("monitor mark");
          await gdb.type("bt");
          await gdb.type("echo done\\n");
          const [, text] = await gdb.expect(/noted\n([^]*?)done\n/, PATIENCE);
          stacks.push(
            [...text.matchAll(/^(?:\(gdb\) )?#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \([^\n]*\) at \S*?([^/\s]+:\d+)$/gm)].map(([, name, at]) =>
              `${name} ${at}`
            ),
          );
        }
        assert.equal(marks.length, stacks.length);
        let inlines = 0, deepest = 0;
        for (const [index, stack] of stacks.entries()) {
          const ours = marks[index].map((line) => line.replace(/^inline /, ""));
          // At the first instruction of an inlined function, gdb shows the call first.
          if (marks[index][0].startsWith("inline ") && stack.length === ours.length - 1) ours.shift();
          // Where the rows of several lines meet, gdb leaves out some that begin no statement.
          const met = build.optimize !== "-O0" && ours[0]?.split(" ")[0] === stack[0]?.split(" ")[0];
          assert.deepEqual(ours.slice(met ? 1 : 0), stack.slice(met ? 1 : 0), `place ${index}`);
          inlines += Number(marks[index].some((line) => line.startsWith("inline ")));
          deepest = Math.max(deepest, ours.length);
        }
        assert.ok(deepest >= 6, `${deepest} frames`);
        assert.ok(inlines > 0, "no place in an inlined function");
        await gdb.type("detach");
        await gdb.expect(/detached/, PATIENCE);
      } finally {
        server.ended(0);
        await served;
      }
    });
  });
}
