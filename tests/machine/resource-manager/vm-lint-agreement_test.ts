// `el2 vm lint` agrees with the Resource Manager: a VM starts exactly if nothing in its devicetree
// is "refused".

import assert from "node:assert/strict";
import fc from "fast-check";
import { MEM_RECLAIM } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_INIT } from "../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_DEALLOCATE, VM_START, VM_STOP } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { cells64, devicetree, findNode, node, type PropertyValue, setProperties } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { lintVm } from "../../../src/app/configuration/vm-lint.ts";
import { bell, guestRoot, Machine, pair, rmRpc } from "./machine.ts";
import { LONG } from "../../support/long.ts";

const RUNS = LONG ? 1000 : 80;
const CONFIG = "/gunyah-vm-config";

/**
 * Nodes with the properties that are worth setting, and to what; a number is a cell, undefined
 * takes the property away.
 */
const SITES: readonly (readonly [path: string, name: string, values: readonly (PropertyValue | undefined)[]])[] = [
  [CONFIG, "image-name", [undefined, "x".repeat(79), "x".repeat(80), Uint8Array.of(1)]],
  [CONFIG, "vm-guid", ["11223344-5566-7788-99aa-bbccddeeff00", "no guid"]],
  [CONFIG, "vm-attrs", [["no-reset-please"], ["crash-fatal"], "ras-error-handler"]],
  [CONFIG, "gic-irq-ranges", [[1, 1]]],
  [CONFIG, "#address-cells", [1, 2, 3]],
  [`${CONFIG}/memory`, "base-address", [
    undefined,
    cells64(0x8000_1000),
    cells64(0x8000_0800),
    cells64(0x4000_0000),
    0x8000_0000,
    cells64(2 ** 37),
  ]],
  [`${CONFIG}/memory`, "size-max", [cells64(0x1000), 0x20_0000]],
  [`${CONFIG}/memory`, "is-direct", [true]],
  [`${CONFIG}/vcpus`, "affinity", [undefined, "proxy", "static", "pinned", "proxi"]],
  [`${CONFIG}/vcpus`, "affinity-map", [undefined, 0, [0, 1], [0, 1, 2]]],
  [`${CONFIG}/vcpus`, "sched-priority", [0xffff_ffff, 0, 4, 0xffff_ffd0]],
  [`${CONFIG}/vcpus`, "sched-timeslice", [2000, 50, 100_001]],
  [`${CONFIG}/vcpus`, "config", ["/cpus", "/nowhere"]],
  [`${CONFIG}/interrupts`, "config", [undefined, 1, 9, "/interrupt-controller@3fff0000", "/cpus"]],
  ["/", "interrupt-parent", [undefined, 1]],
  ["/cpus/cpu@0", "status", ["okay", "disabled", "fail", "asleep"]],
  ["/cpus/cpu@1", "enable-method", [undefined, "psci", "spin-table"]],
  ["/cpus/cpu@1", "cpu-idle-states", [undefined, true]],
  ["/interrupt-controller", "compatible", ["arm,gic-v3", "arm,gic-400"]],
  ["/interrupt-controller", "#interrupt-cells", [2, 3, 4]],
  ["/interrupt-controller", "#redistributor-regions", [1, 2]],
  ["/interrupt-controller", "reg", [
    undefined,
    cells64(0x3fff_0000, 0x1_0000, 0x3fe0_0000, 0x4_0000),
    cells64(0x3fff_1000, 0x1_0000, 0, 0),
  ]],
  [`${CONFIG}/vdevices/rm-rpc`, "generate", [undefined, "/hypervisor/other", "no path"]],
  [`${CONFIG}/vdevices/rm-rpc`, "push-compatible", [["a"], ["a", "b", "c", "d"]]],
  [`${CONFIG}/vdevices/rm-rpc`, "message-size", [64, 240, 1023, 1024, 0]],
  [`${CONFIG}/vdevices/bell`, "peer-default", [undefined, true]],
  [`${CONFIG}/vdevices/bell`, "interrupts", [[0, 9, 1], [9, 9, 9], [0, 1]]],
  [`${CONFIG}/vdevices/bell`, "vdevice-type", ["doorbell", "doorbel", "vrtc-pl031", "shm", "rm-rpc", "message-queue"]],
  [`${CONFIG}/vdevices/pair`, "queue-depth", [1, 255, 256, 0]],
  [`${CONFIG}/vdevices/pair`, "peer", ["vm-name:other", "somebody"]],
];

/** A tree with changes. */
function tree(changes: readonly (readonly [number, number])[], more: boolean): Uint8Array {
  const root = guestRoot("lint", [rmRpc(), bell(1), pair(2, { "peer-default": true })], 2);
  for (const [site, choice] of changes) {
    const [path, name, values] = SITES[site % SITES.length];
    const target = findNode(root, path);
    const value = values[choice % values.length];
    if (target === undefined) continue;
    if (value === undefined) target.properties.delete(name);
    else setProperties(target, { [name]: value });
  }
  if (more) root.children.push(node("hypervisor"));
  return writeDevicetree(devicetree(root));
}

Deno.test("a VM starts exactly if the lint finds nothing that is refused", () => {
  const machine = new Machine();
  const { primary } = machine;
  const before = machine.usage();
  const change = fc.tuple(fc.nat(SITES.length - 1), fc.nat(9));
  fc.assert(
    fc.property(fc.array(change, { minLength: 0, maxLength: 4 }), fc.nat(19), (changes, more) => {
      const blob = tree(changes, more === 0);
      const refused = lintVm(blob).filter(({ kind }) => kind === "refused");
      const { vmid, handle } = machine.configured(blob);
      const init = primary.ask(VM_INIT, { vmid }).error;
      const start = init === "OK" ? primary.ask(VM_START, { vmid }).error : init;
      if (start === "OK") primary.get(VM_STOP, { vmid, flags: 1, reason: 0 });
      machine.reset(vmid);
      primary.get(MEM_RECLAIM, { handle, flags: 0 });
      primary.get(VM_DEALLOCATE, { vmid });
      const found = refused.map(({ path, property, what }) => `${path} ${property}: ${what}`).join("\n");
      const why = () => machine.system.hypervisor.trace.reasons.last?.rule;
      assert.equal(start === "OK", refused.length === 0, `${start} ${start === "OK" ? "" : why()}\n${found}`);
    }),
    { numRuns: RUNS },
  );
  assert.deepEqual(machine.usage(), before);
});
