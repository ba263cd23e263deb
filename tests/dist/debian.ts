// Debian with the build: its guest from a mirror without apt, a new driver in its kernel,
// and that kernel in front of gdb, an editor and an agent.

import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { gdbCommand, nativeProgram } from "../../scripts/native-tools.ts";
import { MULTIARCH } from "../../scripts/unpacked-programs.ts";
import { DapClient } from "../session/debug/dap/client.ts";
import { debugDebian } from "../session/debug/dap/debian.ts";
import { ConsoleProgram } from "../support/console.ts";
import { LONG } from "../support/long.ts";
import { withKeptMirror } from "./kept-mirror.ts";
import type { Artefact, AsUser, User } from "./user.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const TOOLS = `${ROOT}.state/tools/root/usr`;
const GUEST = "debian-bookworm";
/** Seconds of wall time for one thing to happen. */
const PATIENCE = 120;

/** The tests. The first one fetches the guest for the others. */
export function debianTests(artefact: Artefact, asUser: AsUser): void {
  let fetched: Promise<void> | undefined;
  const fetch = (user: User) =>
    fetched ??= withKeptMirror(async (url) => {
      // The file unpacks itself by programs of the system. Then no program can be found, nor apt.
      await user.output("--version");
      await user.with({ PATH: user.here }).output("guests", "fetch", "debian", "--mirror", url);
    });
  const longArtefact: Artefact = LONG ? artefact : () => {};
  /** The folder of the guest. */
  const folderOf = async (user: User): Promise<string> => {
    await fetch(user);
    const guests = (await user.output("guests", "ls", "--json")).trim().split("\n").map((line) => JSON.parse(line));
    return guests.find(({ name }) => name === GUEST).folder;
  };

  longArtefact(
    "without apt, the build fetches Debian's guest from a mirror, whose archive key is Debian's",
    asUser(async (user) => {
      await fetch(user);
      assert.match(await user.output("guests", "ls", "--check"), new RegExp(`^${GUEST} `, "m"));
    }),
  );

  longArtefact(
    "the repository of a driver works when it is copied: the driver is built against Debian's headers, and tested in a VM",
    asUser(async (user) => {
      await fetch(user);
      await user.tool("cp", "-r", `${ROOT}examples/ci`, "example");
      await Deno.mkdir(`${user.here}/bin`);
      // The compiler's libraries are not those of el2.
      await user.write("bin/el2", `#!/bin/sh\nunset LD_LIBRARY_PATH\nexec '${user.program}' "$@"\n`);
      await Deno.chmod(`${user.here}/bin/el2`, 0o755);
      const tools = await Promise.all((["cpio", "make", "aarch64-linux-gnu-gcc"] as const).map(nativeProgram));
      const folders = tools.map((path) => path.slice(0, path.lastIndexOf("/")));
      const PATH = [`${user.here}/bin`, ...folders, user.env.PATH, `${TOOLS}/bin`].join(":");
      await withKeptMirror(async (url) => {
        const env = { PATH, LD_LIBRARY_PATH: `${TOOLS}/lib/${MULTIARCH}`, EL2_MIRROR: url };
        await user.with(env).tool("sh", "-c", "cd example && ./build.sh");
      });
      assert.match(await user.output("test", "example/shout.test.toml"), /^ok 6 - shout: /m);
    }),
  );

  longArtefact(
    "gdb shows the stack of Debian's kernel that el2 vcpu stack prints, and an agent goes back to a system call",
    asUser(async (user) => {
      await fetch(user);
      await user.output("up", "debian", "--name", "stock", "--turbo");
      try {
        await user.output("console", "debian", "--send", "echo up-$((6*7))\\n", "--expect", "up-42", "--timeout", `${PATIENCE}s`);
        await user.output("symbols", "debian", "-o", "kernel.elf");
        const started = [user.program, "gdb", "debian", "--stdio"].map((word) => `'${word}'`).join(" ");
        const settings = Object.entries(user.env).map(([name, value]) => `'${name}=${value}'`).join(" ");
        {
          await using gdb = new ConsoleProgram(["sh", "-c", 'exec "$0" "$@" 2>&1', ...await gdbCommand(), `${user.here}/kernel.elf`]);
          const commands = ["set confirm off", "set pagination off", "set width 0", "set remotetimeout 60", "set print address on"];
          for (const command of [...commands, `target remote | env -i ${settings} ${started}`]) await gdb.type(command);
          await gdb.expect(/0x[0-9a-f]{16} in/, PATIENCE);
          await gdb.type("break __arm64_sys_newuname");
          await gdb.expect(/Breakpoint 1 at/, PATIENCE);
          await user.output("console", "debian", "--send", "uname -m\\n");
          await gdb.type("continue");
          await gdb.expect(/Breakpoint 1, 0x/, PATIENCE);
          for (const command of ["bt 64", "echo done\\n"]) await gdb.type(command);
          const [shown] = await gdb.expect(/#0 [^]*?done\n/, PATIENCE);
          // gdb shows an exception as it shows a signal, and may leave out a number after a dot.
          const frames = shown.matchAll(/^(?:\(gdb\) )*#\d+ +(?:(0x[0-9a-f]+) in (\S+) \(\)|<signal handler called>)/gm);
          const theirs = Array.from(frames, ([, pc, name]) => pc === undefined ? "exception" : `${BigInt(pc)} ${name}`)
            .filter((frame) => !frame.startsWith("0 "));
          const rows = (await user.output("vcpu", "stack", "debian/0", "--columns", "pc,symbol", "-o", "tsv")).trim().split("\n").slice(1);
          const ours = rows.map((row) => row.split("\t")).map(([pc, symbol], index) =>
            theirs[index] === "exception" && symbol.startsWith("el") ? "exception" : `${BigInt(pc)} ${symbol.replace(/(\.\d+)?\+0x.*/, "")}`
          );
          assert.ok(ours.length >= 5, ours.join("\n"));
          assert.deepEqual(theirs, ours);
          await gdb.type("detach");
          await gdb.expect(/detached/, PATIENCE);
        }
        await user.until(/aarch64\r?\n/, "logs", "-f", "debian");

        const agent = new Client({ name: "tests", version: "1" });
        const env = user.env;
        await agent.connect(new StdioClientTransport({ command: user.program, args: ["mcp", "--allow-change"], env, cwd: user.here }));
        const call = async (name: string, args: Record<string, unknown>) => {
          const { content, isError } = await agent.callTool({ name, arguments: args }, undefined, { timeout: PATIENCE * 1000 });
          const [{ text }] = content as { text: string }[];
          assert.notEqual(isError, true, `${name}: ${text}`);
          return text;
        };
        try {
          await call("go", { at: "debian:__arm64_sys_newuname" });
          const stack = await call("table", { table: "vcpu.stack", vcpu: "vcpu:debian/0" });
          assert.match(stack, /__arm64_sys_newuname[^]*el0t_64_sync/);
          await call("go", { now: true });
        } finally {
          await agent.close();
        }
      } finally {
        await user.output("down", "stock");
      }
    }),
  );

  longArtefact(
    "an editor debugs a Debian that boots, by the build's adapter",
    asUser(async (user) => {
      const folder = await folderOf(user), child = user.start("dap", "--allow-host", folder);
      await using editor = new DapClient(child.stdout, child.stdin, child.status);
      await debugDebian(editor, folder);
    }),
  );
}
