// A Debian in a session in the background: its log and system calls as they come and in the past,
// and its tasks in gdb.

import assert from "node:assert/strict";
import { gdbCommand } from "../../../scripts/native-tools.ts";
import { el2With } from "../../app/cli/program.ts";
import { ConsoleProgram } from "../../support/console.ts";
import { el2Command } from "../../support/el2.ts";
import { eventually } from "../../support/eventually.ts";

/** Seconds of wall time for one thing to happen. */
const PATIENCE = 120;

Deno.test("what a guest says and calls later is printed, stops it and is found again, and gdb lists its tasks", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-linux-session-" });
  const env = { XDG_RUNTIME_DIR: folder, EL2_SESSION: "", NO_COLOR: "1" };
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const mcp = async (input: string) => {
    const [program, ...args] = el2Command("mcp");
    const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "piped", env }).spawn();
    await new Blob([input]).stream().pipeTo(child.stdin);
    const { code, stdout, stderr } = await child.output();
    assert.equal(code, 0, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  };
  const el2 = async (...args: string[]) => {
    const { code, stdout, stderr } = await el2With(env, ...args);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const program = (...args: string[]) =>
    new ConsoleProgram(["env", ...settings, "sh", "-c", 'exec "$0" "$@" 2>&1', ...el2Command(...args)]);
  try {
    await el2("up", "debian-bookworm", "--name", "inside");
    await el2("console", "debian", "--expect", "# ", "--timeout", "120s");
    {
      await using log = program("linux", "log", "--follow");
      await log.expect(/Run \/init as init process/, PATIENCE);
      await el2("console", "debian", "--send", "echo heard-$((40 + 2)) > /dev/kmsg\\n");
      await log.expect(/\] heard-42\n/, PATIENCE);
    }
    {
      await using events = program("events", "--follow", "--kinds", "syscall,task", "--vm", "debian", "--filter", "comm=cat");
      // From its heading on, events are recorded.
      await events.expect(/^id +t /m, PATIENCE);
      await el2("console", "debian", "--send", "cat /known-file\\n", "--expect", "No such file", "--timeout", "120s");
      await events.expect(/ cat\[\d+\] openat\(AT_FDCWD, "\/known-file", O_RDONLY\) = -1 ENOENT /, PATIENCE);
      await events.expect(/ cat\[\d+\] ends with 1 /, PATIENCE);
    }
    // Nobody records them any more: the search in the past finds them.
    assert.match(await el2("back", "--at", "syscall:openat:ENOENT", "--timeout", "240s"), /syscall \w+\[\d+\] openat\(.*\) = -1 ENOENT\n/);
    await el2("back", "--now");
    await el2("resume");
    {
      await using stop = program("break", "--at", "syscall:openat:ENOENT", "--wait", "--timeout", "120s");
      await eventually(() => el2("break", "--list"), (list) => list.includes("openat"));
      await el2("console", "debian", "--send", "cat /other-file\\n");
      await stop.expect(/kind=syscall name=openat res=ENOENT .*openat\(.*\) = -1 ENOENT/, PATIENCE);
    }
    await el2("break", "--remove", "all");
    const question = { table: "linux.ps", threads: true, tree: true, columns: ["name", "tree"], filter: "name=kthreadd" };
    const calls = [
      { method: "initialize", params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } } },
      { method: "tools/call", params: { name: "table", arguments: question } },
    ];
    const lines = calls.map((call, id) => JSON.stringify({ jsonrpc: "2.0", id, ...call }) + "\n").join("");
    assert.match(await mcp(lines), /kthreadd\W+tree\W+kthreadd/);
    await el2("resume");
    await using server = program("gdb", "debian");
    const [, socket] = await server.expect(/target remote (\S+)'/, PATIENCE);
    const commands = ["set architecture aarch64", "set remotetimeout 60", `target remote ${socket}`, "monitor tasks name=kthreadd"];
    const [gdb, ...given] = await gdbCommand(), typed = [...commands, "monitor stack 2", "monitor stack x", "detach"];
    const { stdout, stderr } = await new Deno.Command(gdb, { args: [...given, "-batch", ...typed.flatMap((line) => ["-ex", line])] })
      .output();
    const shown = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.match(shown, /^task:debian\/2 +2 +0 S +kthreadd .* kthreadd$/m);
    assert.match(shown, /^call:debian\/2\/\d+ kernel 0x[0-9a-f]{16} kthreadd\+0x/m);
    assert.match(shown, /^monitor stack PID: list them with monitor tasks$/m);
  } finally {
    await el2("down", "inside");
    await Deno.remove(folder, { recursive: true });
  }
});
