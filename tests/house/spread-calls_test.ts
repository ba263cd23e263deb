// V8 takes some 120,000 arguments: a list of guests or files that is spread into a call ends el2
// with a RangeError. Lists are spread only where the program itself bounds them.

import assert from "node:assert/strict";
import { repositoryFiles, ROOT } from "../support/files.ts";

/** Calls of these with a list as their arguments. */
const SPREAD =
  /\b(?:Math\.(?:max|min)|String\.from(?:CharCode|CodePoint)|\w+[\])]?\.(?:push|unshift|splice|concat))\((?:[^()]*, )?\.\.\.(?!\{|[a-z.]+ !==|answer|await)/;

/** Bounds of the lists of a room, or of a file. */
const BOUNDS: Readonly<Record<string, string>> = {
  "src/cpu/": "instructions of a region, registers and tables of the program",
  "src/app/tui/": "what a screen holds, and menus",
  "src/app/cli/": "what was typed, and tables of the program",
  "src/model/commands/": "what was typed",
  "src/app/catalog/debian-root.ts": "files of a signed package",
  "src/app/catalog/debian.ts": "dependencies of a signed package",
  "src/app/configuration/": "a configuration, whose text is bounded",
  "src/app/scenarios/ktap.ts": "names of tests in tests, at most DEPTH_MAX",
  "src/app/scenarios/run.ts": "a step of a scenario",
  "src/inside/images/images.ts": "segments of an ELF file: 16 bits",
  "src/inside/images/kernel-image.ts": "sections of a PE file: 16 bits; names in headers",
  "src/inside/linux/structures/lookup.ts": "a link's target, which is read up to a page",
  "src/inside/symbols/kallsyms.ts": "a token, at most TOKEN_MAX",
  "src/kit/formats/dwarf/frame-writer.ts": "a number's bytes",
  "src/kit/formats/dwarf/line-table.ts": "opcodes: 8 bits",
  "src/kit/support/text/linear-regex.ts": "a pattern of the program",
  "src/machine/devices/": "a FIFO of 32 characters, vCPUs, frequencies of the program",
  "src/machine/hardware/archive.ts": "a path of names",
  "src/machine/host/": "VMs, vCPUs, packets of one message",
  "src/machine/hypervisor/geniezone/": "vCPUs and slots of a VM",
  "src/machine/hypervisor/gic/vgic-cpu-interface.ts": "two registers",
  "src/machine/hypervisor/ipc/msgqueue.ts": "the depth of a queue",
  "src/machine/hypervisor/memory/addrspace.ts": "VMMIO_RANGES",
  "src/machine/hypervisor/memory/memdb.ts": "the ends of one range",
  "src/machine/hypervisor/root-package.ts": "segments of an ELF file: 16 bits",
  "src/machine/resource-manager/state/addresses.ts": "the rests of one range",
  "src/machine/resource-manager/vm/vdevices.ts": "ends of one device",
  "src/machine/virtio/": "a frame, an event or a greeting of a device",
  "src/session/assembly/": "devices and VMs of a plan",
  "src/session/debug/packets.ts": "two digits",
  "src/session/engine/who.ts": "the rows of one place",
  "src/session/inspection/verdicts/": "vCPUs and evidence of a verdict",
  "src/session/recordings/runs/": "recordings that were typed",
};

Deno.test("no list of a guest or a file is spread into a call", () => {
  const found = [...repositoryFiles("src/", ".ts")].filter((file) => SPREAD.test(Deno.readTextFileSync(new URL(file, ROOT))));
  const bounds = Object.keys(BOUNDS), bound = (file: string) => bounds.find((path) => file.startsWith(path));
  assert.deepEqual(found.filter((file) => bound(file) === undefined), [], "add one by one, or reduce");
  assert.deepEqual(bounds.filter((path) => !found.some((file) => bound(file) === path)), [], "a bound that nothing needs");
});
