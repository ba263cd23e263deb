// Names in the modules of Debian's kernels: those that the guest prints, and where they are shown.
// The kernel boots once: what a module is cannot be had without one.

import assert from "node:assert/strict";
import type { StopHit } from "../../../../src/model/queries/stop-rule.ts";
import { Debian, RELEASES } from "../debian.ts";

/** Virtual time (ns) within which a command is over. */
const PATIENCE = 60e9;

/** A Debian with modules, and with addresses in /proc/kallsyms. */
async function withModules(release: string): Promise<Debian> {
  const debian = (await Debian.start(release, { initrd: "initrd-virtio" })).withShell();
  debian.loadModules();
  debian.command("dmesg -n 1; echo 0 > /proc/sys/kernel/kptr_restrict");
  return debian;
}

/** Runs until a rule stops the machine. */
function toStop({ system: { machine, stops } }: Debian): StopHit {
  stops.goOn();
  for (const last = machine.time + PATIENCE; machine.time < last;) {
    const result = machine.run(last, 1000), hit = stops.take();
    if (hit && hit !== "passed") return hit;
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, last));
  }
  throw new Error("nothing has stopped the machine");
}

/** `ADDRESS TYPE NAME [MODULE]` of all symbols of modules, sorted. */
const printed = (debian: Debian) =>
  debian.command("grep '\\[' /proc/kallsyms").split("\n").map((line) => line.trim().replace("\t", " "))
    // Marks and local labels of the assembler are not names.
    .filter((line) => line !== "" && !/ \$[xd](\.| )|[\x00-\x1f]/.test(line)).sort();

const read = (debian: Debian) =>
  debian.system.symbols.all("host").flatMap(({ module, symbols }) =>
    module ? symbols.map(({ address, type, name }) => `${address.toString(16)} ${type} ${name} [${module.name}]`) : []
  ).sort();

for (const release of RELEASES) {
  Deno.test(`symbols of modules of Debian ${release} are what it prints, also after rmmod and insmod`, async () => {
    const debian = await withModules(release);
    assert.ok(read(debian).length > 400, `${read(debian).length} symbols`);
    assert.deepEqual(read(debian), printed(debian));

    // A module that is unloaded is in the list no more; the next one takes its memory.
    const file = debian.command("grep virtio_rng.ko /lib/modules/order").trim();
    debian.command("rmmod virtio_rng");
    assert.ok(!read(debian).some((line) => line.endsWith("[virtio_rng]")));
    assert.deepEqual(read(debian), printed(debian));
    debian.command(`rmmod virtio_balloon; insmod /lib/modules/${file}`);
    assert.deepEqual(read(debian), printed(debian));

    // Stops, stacks and instructions have the names, and the module beside them. In newer kernels
    // the bus of virtio is not a module.
    debian.system.stops.change({ kind: "place", at: "host:virtio_rng:cleanup_module" });
    debian.system.stops.change({ kind: "place", at: "host:unregister_virtio_driver" });
    debian.type("rmmod virtio_rng\n");
    assert.match(toStop(debian).text, /^vcpu:host\/0 at 0xffff[0-9a-f]{12}, host:virtio_rng:cleanup_module$/);
    assert.match(debian.rows("vcpu.ls")[0].symbol ?? "", /^\w+ \[virtio_rng\]$/);
    assert.match(toStop(debian).text, /host:unregister_virtio_driver$/);
    const stack = debian.rows("vcpu.stack", { vcpu: "vcpu:host/0" }).map(({ symbol }) => symbol ?? "");
    assert.match(stack[0], release === "bookworm" ? /^unregister_virtio_driver \[virtio\]$/ : /^unregister_virtio_driver$/);
    assert.match(stack[1], /^(virtio_rng_driver_exit|cleanup_module)\+0x[0-9a-f]+ \[virtio_rng\]$/);
    assert.match(stack[2], /^__(arm64_sys_|do_sys_|se_sys_)?delete_module(\.\w+)*\+0x/);
    const [{ symbol, label }] = debian.rows("code", { at: "host:virtio_rng:cleanup_module", size: 1 });
    assert.equal(symbol, `${label} [virtio_rng]`);

    // A name that several have is not guessed.
    assert.match(
      debian.ask("code", { at: "host:cleanup_module", size: 1 }).error ?? "",
      /^\d+ modules of vm:host have a symbol cleanup_module; name one: host:\w+:cleanup_module, host:/,
    );
    assert.match(debian.ask("code", { at: "host:absent:f", size: 1 }).error ?? "", /it has loaded no module absent: list them with/);
  });
}
