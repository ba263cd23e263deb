// gdb with a `vmlinux` that it has read itself, and a kernel that executes elsewhere (KASLR): its
// symbols, lines and variables follow.

import assert from "node:assert/strict";
import { gdbCommand } from "../../../scripts/native-tools.ts";
import { LoopbackPort } from "../../../src/session/debug/gdb-connections.ts";
import { GdbServer } from "../../../src/session/debug/gdb-server.ts";
import { answerDebugger } from "../../../src/machine/hypervisor/debug/debug-access.ts";
import { machineWith } from "./debugged-vm.ts";
import { buildProgram, native, withTempFolder } from "./programs.ts";

const LINKED = 0xffff_8000_8001_0000, MOVED = 0x12_3401_0000n;

/** The output of gdb with a file that it has read, and a VM whose kernel is at a place. */
async function gdbOf(file: string, movedTo: bigint | undefined, ...commands: string[]): Promise<string> {
  const { debugger: { control } } = machineWith([0x14000000]);
  assert.ok(control);
  const port = new LoopbackPort(0);
  const server = new GdbServer(port, {
    ask: (access) => Promise.resolve(answerDebugger(control, access)),
    stop: () => {},
    go: () => {},
    back: () => {},
    monitor: () => Promise.resolve(undefined),
    movedTo: () => Promise.resolve(movedTo),
    detach: () => {},
    kill: () => {},
  });
  server.stopped({ cause: "start", vcpu: 0, pc: 0n });
  const served = server.serve(false);
  const [program, ...args] = await gdbCommand();
  const lines = ["set architecture aarch64", "set remotetimeout 60", `file ${file}`, `target remote ${port.name}`, ...commands];
  const { stdout } = await new Deno.Command(program, {
    args: [...args, "-batch", ...lines.flatMap((line) => ["-ex", line])],
    stdin: "null",
    stderr: "null",
  }).output();
  server.ended(0);
  await served;
  return new TextDecoder().decode(stdout);
}

Deno.test("gdb's own file moves as far as the kernel has: functions, lines and data", async () => {
  await withTempFolder(async (folder) => {
    const file = `${folder}/vmlinux`;
    await buildProgram("counter", file, { at: LINKED });
    const symbols = await native("aarch64-linux-gnu-nm", file);
    const linked = (name: string) => BigInt(`0x${new RegExp(`^(\\w+) \\w ${name}$`, "m").exec(symbols)![1]}`);
    // Its first segment begins with the headers, in front of the code.
    const first = BigInt(LINKED) - 0x1_0000n;
    const commands = ["info address main", "info line counter.c:6", "print &total"];
    for (const [to, moved] of [[first + MOVED, MOVED], [undefined, 0n]] as const) {
      const text = await gdbOf(file, to, ...commands);
      const at = (name: string) => `0x${(linked(name) + moved).toString(16)}`;
      assert.match(text, new RegExp(`"main" is a function at address ${at("main")}\\.`));
      assert.match(text, new RegExp(`Line 6 of .* is at address ${at("count")} <count>`));
      assert.match(text, new RegExp(`\\$1 = .* ${at("total")} <total>`));
    }
  });
});
