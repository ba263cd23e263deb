// An editor's session with a module that is built against the headers of Debian's kernels, in a VM
// with KASLR: breakpoints by line and by function that wait for it, its stack, its variables, and
// steps by line, over reloads and back. Everything is fetched: EL2_LONG.

import assert from "node:assert/strict";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { archiveFile } from "../../../../src/app/catalog/busybox-archive.ts";
import { withEntries } from "../../../../src/kit/formats/cpio.ts";
import {
  lineOf,
  SCRIBE,
  SCRIBE_KERNELS,
  SCRIBE_VM as VM,
  type ScribeGuest,
  scribeGuest,
  type ScribeKernelName,
} from "../../../inside/linux/scribe.ts";
import { longTest } from "../../../support/long.ts";
import { DapClient } from "./client.ts";

type Breakpoints = { readonly breakpoints: DebugProtocol.Breakpoint[] };

const LOADS = 5;
/** Its twin is loaded where the module was, so that the module has another place each time. */
const LOAD = `#!/bin/busybox sh
b=/bin/busybox
$b mkdir -p /proc
$b mount -t proc proc /proc
for n in 1 2 3 4 5; do
  $b insmod /drivers/scribe.ko
  echo 1$n > /proc/scribe
  case $n in 2|4) $b rmmod twin;; esac
  $b rmmod scribe
  case $n in 1|3) $b insmod /drivers/twin.ko;; esac
done
exec $b sh
`;

async function withScript({ folder }: ScribeGuest): Promise<void> {
  const initrd = `${folder}/initrd`, config = `${folder}/vm.toml`;
  await Deno.writeFile(initrd, withEntries(await Deno.readFile(initrd), [archiveFile("load", LOAD, 0o755)]));
  await Deno.writeTextFile(config, (await Deno.readTextFile(config)).replace("quiet", "quiet rdinit=/load"));
}

/** A client whose machine has not begun, with the folder of the module as symbols. */
async function launched({ folder }: ScribeGuest): Promise<DapClient> {
  const client = DapClient.inProcess();
  await client.ask("initialize", { adapterID: "el2" });
  await client.ask("launch", { what: `${folder}/vm.toml`, vms: [VM], symbols: { [VM]: folder }, turbo: true, stopOnEntry: true });
  await client.event("initialized");
  const entry = client.event("stopped");
  await client.ask("configurationDone");
  await entry;
  return client;
}

/** The frames of the vCPU, without the module's name. */
const stackOf = async (client: DapClient) => (await client.stack()).map((frame) => frame.replace(" [scribe]", ""));
const named = (variables: readonly DebugProtocol.Variable[], name: string) => variables.find((one) => one.name === name)?.value;

for (const kernel of Object.keys(SCRIBE_KERNELS) as ScribeKernelName[]) {
  longTest(`an editor steps by line through a module that is built for Linux ${kernel}, over five loads, and back`, async () => {
    await using guest = await scribeGuest(kernel);
    await withScript(guest);
    const source = (await Deno.readTextFile(SCRIBE)).split("\n"), call = lineOf(source, "scribe_total += weigh(value);");
    await using client = await launched(guest);
    const byLine = await client.ask<Breakpoints>("setBreakpoints", { source: { path: "scribe.c" }, breakpoints: [{ line: call }] });
    const byName = await client.ask<Breakpoints>("setFunctionBreakpoints", { breakpoints: [{ name: `${VM}:scribe:scribe_exit` }] });
    assert.deepEqual([...byLine.breakpoints, ...byName.breakpoints].map(({ verified }) => verified), [false, false]);

    const places = new Set<string>();
    for (let load = 1; load <= LOADS; load++) {
      for (const caller of ["scribe_init", "scribe_write"]) {
        const { reason } = await client.stop("continue"), stack = await stackOf(client);
        assert.equal(reason, "breakpoint");
        assert.equal(stack[0], `scribe_note scribe.c:${call}`);
        assert.match(stack[1], new RegExp(`^${caller} scribe\\.c:\\d+$`));
        assert.ok(stack.some((frame) => /^(do_one_initcall|vfs_write) /.test(frame)), stack.join());
        // The parameter, a variable of the module, and a parameter of the caller.
        const value = caller === "scribe_init" ? 3 : 10 + load, frame = await client.frame();
        assert.equal(named(await client.scope("Locals", frame), "value"), String(value));
        assert.equal(await client.value("scribe_factor", frame), "3");
        places.add(await client.value("$pc"));
      }
      // Into a call, out of it, and over the next line.
      await client.stop("stepIn");
      const [inside, outside] = await stackOf(client);
      assert.match(`${inside}, ${outside}`, /^weigh scribe\.c:\d+, scribe_note scribe\.c:\d+$/);
      await client.stop("stepOut");
      assert.match((await stackOf(client))[0], /^scribe_note scribe\.c:\d+$/);
      const [before] = await stackOf(client);
      await client.stop("next");
      const [after] = await stackOf(client);
      assert.notEqual(after, before);
      assert.match(after, /^scribe_(note|write) scribe\.c:\d+$/);
      assert.equal((await client.stop("continue")).reason, "function breakpoint");
      assert.match((await stackOf(client))[0], /^scribe_exit/);
    }
    assert.ok(places.size > 1, `it was at ${[...places].join()}`);

    // Back in the last load.
    assert.equal((await client.stop("reverseContinue")).reason, "breakpoint");
    assert.equal(named(await client.scope("Locals", await client.frame()), "value"), String(10 + LOADS));
    assert.match((await stackOf(client))[1], /^scribe_write /);
    await client.ask("disconnect");
  });
}
