// Breakpoints of an editor in a kernel that moves itself (KASLR), by function and by line of the
// `vmlinux` that is linked elsewhere.

import assert from "node:assert/strict";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { native, sourceOf, withTempFolder } from "../programs.ts";
import { DapClient } from "./client.ts";

/** Where it executes first, and where it is linked: the MMU moves it by 2 GiB from there. */
const BOOT = "0x40200000", LINKED = "0xffffff8040200000", MOVED = 0x8000_0000n;
const SOURCE = sourceOf("moving").replace(/\.c$/, ".S");

type Breakpoints = { readonly breakpoints: DebugProtocol.Breakpoint[] };

/** Links the program to an address. */
async function linked(file: string, at: string): Promise<void> {
  await native(
    "aarch64-linux-gnu-gcc",
    ...["-g", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", `-Wl,-Ttext=${at}`],
    ...["-o", file, SOURCE],
  );
}

Deno.test("an editor's breakpoints by function and line are where a kernel has moved itself", async () => {
  await withTempFolder(async (folder) => {
    const image = `${folder}/image.elf`, vmlinux = `${folder}/vmlinux`;
    await linked(image, BOOT);
    await native("aarch64-linux-gnu-objcopy", "--strip-all", image);
    await linked(vmlinux, LINKED);
    const symbols = await native("aarch64-linux-gnu-nm", vmlinux);
    const work = BigInt(`0x${/^(\w+) T work$/m.exec(symbols)![1]}`) + MOVED;
    const lines = (await Deno.readTextFile(SOURCE)).split("\n");
    const call = lines.findIndex((line) => line.includes("bl work")) + 1;

    await using client = DapClient.inProcess();
    await client.ask("initialize", { adapterID: "el2" });
    await client.ask("launch", { boot: image, symbols: { host: vmlinux }, turbo: true, stopOnEntry: true });
    await client.event("initialized");
    const entry = client.event("stopped");
    await client.ask("configurationDone");
    await entry;
    const byName = await client.ask<Breakpoints>("setFunctionBreakpoints", {
      breakpoints: [{ name: "work", condition: "($x0 & 0xfff) == 3" }],
    });
    assert.equal(byName.breakpoints.length, 1);
    assert.equal((await client.stop("continue")).reason, "function breakpoint");
    assert.equal(await client.value("$pc"), `0x${work.toString(16)} <work>`);
    const count = await client.value("$x0");
    assert.equal(BigInt(count) % 0x1000n, 3n);
    assert.match((await client.stack())[0], /^work moving\.S:\d+$/);

    const byLine = await client.ask<Breakpoints>("setBreakpoints", { source: { path: SOURCE }, breakpoints: [{ line: call }] });
    assert.deepEqual(byLine.breakpoints.map(({ verified, line }) => [verified, line]), [[true, call]]);
    assert.equal((await client.stop("continue")).reason, "breakpoint");
    assert.equal(BigInt(await client.value("$x19")), BigInt(count) + 1n);
    // Back over the two, and to the condition.
    assert.equal((await client.stop("reverseContinue")).reason, "function breakpoint");
    assert.equal(await client.value("$x0"), count);
    await client.ask("disconnect");
  });
});
