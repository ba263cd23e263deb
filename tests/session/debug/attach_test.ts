// `el2 gdb VM` on a session in the background: gdb-multiarch comes while the VM runs, and goes.

import assert from "node:assert/strict";
import { gdbCommand } from "../../../scripts/native-tools.ts";
import { el2With } from "../../app/cli/program.ts";
import { ConsoleProgram } from "../../support/console.ts";
import { el2Command } from "../../support/el2.ts";

/** Seconds of wall time for one thing to happen. */
const PATIENCE = 120;

Deno.test("gdb comes to a VM of a running session, stops it, and lets it continue", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-attach-" });
  const env = { XDG_RUNTIME_DIR: folder, EL2_SESSION: "", NO_COLOR: "1" };
  const el2 = (...args: string[]) => el2With(env, ...args);
  const server = (...args: string[]) => {
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    return new ConsoleProgram(["env", ...settings, "sh", "-c", 'exec "$0" "$@" 2>&1', ...el2Command("gdb", ...args)]);
  };
  try {
    const up = await el2("up", "demo", "--name", "debugged");
    assert.equal(up.code, 0, up.stderr);
    const runs = async () => {
      // The session may just have begun, and have no such VM yet.
      for (const limit = Date.now() + PATIENCE * 1000;;) {
        const { code, stderr } = await el2("console", "hello", "--send", "x", "--expect", "typed 'x'", "--timeout", "60s");
        if (code === 0) return;
        assert.ok(Date.now() < limit, stderr);
      }
    };
    await runs();
    const nobody = await el2("gdb", "nobody");
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /^el2: no vm:nobody that executes instructions; there are .*vm:hello/);
    {
      await using hello = server("vm:hello");
      // Only we can connect to the socket, which is beside the session's.
      const [, socket] = await hello.expect(/target remote (\S+)'/, PATIENCE);
      assert.equal(socket, `${folder}/el2/debugged.gdb`);
      assert.equal(Deno.lstatSync(socket).mode! & 0o777, 0o600);
      assert.equal((await el2("ls", "--json")).stdout.match(/"session:/g)?.length, 1, "it is not a session");
      const second = await el2("gdb", "ping");
      assert.equal(second.code, 1);
      assert.match(
        second.stderr,
        /another debugger is attached to a VM of this session; end it first; el2 gdb el2 serves all VMs to one gdb/,
      );

      await using gdb = new ConsoleProgram([...await gdbCommand()]);
      for (const command of ["set confirm off", "set pagination off", "set width 0", "set remotetimeout 60", "set architecture aarch64"]) {
        await gdb.type(command);
      }
      for (const round of [1, 2]) {
        await gdb.type(`target remote ${socket}`);
        await gdb.expect(/0x[0-9a-f]{16} in \?\? \(\)/, PATIENCE);
        await gdb.type("print/x $cpsr & 0xf");
        await gdb.expect(/= 0x5\n/, PATIENCE); // EL1h
        await gdb.type("info threads");
        await gdb.expect(/Thread 1 \(vCPU 0/, PATIENCE);
        await gdb.type(round === 1 ? "detach" : "disconnect");
        await gdb.expect(round === 1 ? /detached/ : /Ending remote debugging/, PATIENCE);
      }
    }
    // The server is gone, and with it the debugger: the VM runs and another one may come.
    await runs();
    {
      await using ping = server("ping", "--port", "0");
      await ping.expect(/target remote 127\.0\.0\.1:\d+/, PATIENCE);
    }

    // All VMs at once, on gdb's own pipe: continue stops at the hypervisor's events.
    await using gdb = new ConsoleProgram(["sh", "-c", 'exec "$0" "$@" 2>&1', ...await gdbCommand()]);
    for (const command of ["set confirm off", "set pagination off", "set width 0", "set remotetimeout 60", "set architecture aarch64"]) {
      await gdb.type(command);
    }
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const program = el2Command("gdb", "el2", "--stdio", "--event", "kind=hvc vm=ping").map((word) => `'${word}'`);
    await gdb.type(`target remote | env ${settings.join(" ")} ${program.join(" ")}`);
    await gdb.expect(/0x[0-9a-f]{16} in \?\? \(\)/, PATIENCE);
    await gdb.type("info threads");
    await gdb.expect(/\(vCPU hello\/0[^]*\(vCPU ping\/0[^]*\(vCPU pong\/0/, PATIENCE);
    await gdb.type("continue");
    await gdb.expect(/ev:\S+ vcpu:ping\/0 hvc \w+ [^]*received signal SIGTRAP/, PATIENCE);
    await gdb.type("monitor events kind=virq vm=hello");
    await gdb.expect(/continue stops at events with kind=virq vm=hello/, PATIENCE);
    const events: string[] = [];
    for (let round = 0; round < 3; round++) {
      await gdb.type("continue");
      const [, event] = await gdb.expect(/ev:\S+ (vcpu:hello\/0 virq [^\n]*)\n[^]*?received signal SIGTRAP/, PATIENCE);
      events.push(event);
    }
    for (const before of [events[1], events[0]]) {
      await gdb.type("reverse-continue");
      const [, event] = await gdb.expect(/ev:\S+ (vcpu:hello\/0 virq [^\n]*)\n[^]*?received signal SIGTRAP/, PATIENCE);
      assert.equal(event, before);
    }
    await gdb.type("continue");
    const [, again] = await gdb.expect(/ev:\S+ (vcpu:hello\/0 virq [^\n]*)\n[^]*?received signal SIGTRAP/, PATIENCE);
    assert.equal(again, events[1]);
    await gdb.type("print/x $pc");
    const [, pc] = await gdb.expect(/= (0x[0-9a-f]+)\n/, PATIENCE);
    await gdb.type("stepi");
    await gdb.expect(/0x[0-9a-f]{16} in/, PATIENCE);
    await gdb.type("reverse-stepi");
    await gdb.expect(new RegExp(`0x0*${pc.slice(2)} in`), PATIENCE);
    await gdb.type("monitor events kynd=hvc");
    await gdb.expect(/no field "kynd"/, PATIENCE);
    await gdb.type("monitor events off");
    await gdb.expect(/continue does not stop at events/, PATIENCE);
    await gdb.type("detach");
    await gdb.expect(/detached/, PATIENCE);
    await runs();
  } finally {
    await el2("down", "debugged");
    await Deno.remove(folder, { recursive: true });
  }
});
