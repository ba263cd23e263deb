// The state of the Resource Manager as a file may hold it: with lists that are cut or have holes,
// and fields that are missing or of another kind.

import assert from "node:assert/strict";
import { asIpa, asVmid } from "../../../../src/machine/abi/numbers.ts";
import { VmState } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { ResourceManager } from "../../../../src/machine/resource-manager/resource-manager.ts";
import type { Parcel, RmState, VmRecord } from "../../../../src/machine/resource-manager/state/state.ts";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { demoPlan, runTo } from "../../../session/snapshots/systems.ts";

/** The state of the demo's Resource Manager while its VMs run, with parcels that they hold. */
async function demoState(): Promise<RmState> {
  const system = assemble(await demoPlan());
  runTo(system, 300_000);
  const state = structuredClone(system.manager.state);
  assert.ok(state.parcels.some(({ borrowers, regions }) => regions.length > 0 && borrowers.some(({ mapped }) => mapped)));
  return state;
}

const restore = (state: unknown) => new ResourceManager().restore(state);

/** Each object of plain data with its path, the first of items that are alike. */
function* objectsOf(value: unknown, path: string): Generator<[path: string, object]> {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  yield [path, value];
  for (const [name, part] of Object.entries(value)) yield* objectsOf(part, `${path}.${name}`);
}

Deno.test("a state without a field, with an unknown one, or with one of another kind is refused by its path", async () => {
  const state = await demoState();
  restore(state);
  let fields = 0;
  const seen = new Set<string>();
  for (const [path, object] of objectsOf(state, "state")) {
    // One item of each list stands for all: the schema is the same.
    const kind = path.replaceAll(/\d+/g, "N");
    if (seen.has(kind)) continue;
    seen.add(kind);
    if (Array.isArray(object)) {
      if (object.length === 0) continue;
      const [first] = object;
      object[0] = undefined;
      assert.throws(() => restore(state), Error, `${path}: a hole`);
      object[0] = first;
      continue;
    }
    if (object instanceof Set) {
      object.add(undefined);
      assert.throws(() => restore(state), Error, `${path}: a hole`);
      object.delete(undefined);
      continue;
    }
    const part = object as Record<string, unknown>;
    for (const [name, value] of Object.entries(part)) {
      fields++;
      const place = `${path}.${name}`;
      const refused = (other: unknown) => {
        part[name] = other;
        assert.throws(() => restore(state), (error: Error) => error.message.includes(name), `${place} = ${other}`);
      };
      refused(null);
      refused(new Map());
      if (typeof value === "number") refused(NaN);
      delete part[name];
      assert.throws(() => restore(state), Error, `${place} is missing`);
      part[name] = value;
    }
    part.other = 1;
    assert.throws(() => restore(state), /other/, path);
    delete part.other;
  }
  restore(state);
  assert.ok(fields > 200, `${fields} fields`);
});

Deno.test("a state whose lists do not fit together is refused by name", async () => {
  const whole = await demoState();
  const held = whole.parcels.findIndex(({ borrowers }) => borrowers.some(({ mapped }) => mapped));
  const refused = (change: (state: RmState, parcel: Parcel) => void, rule: RegExp) => {
    const state = structuredClone(whole);
    change(state, state.parcels[held]);
    assert.throws(() => restore(state), rule);
  };
  const place = RegExp(`parcels\\.${held}\\.borrowers\\.\\d+: it has other addresses than regions`);
  refused((_, { regions }) => regions.pop(), place);
  refused((_, { borrowers }) => borrowers.find(({ mapped }) => mapped)!.ipas.pop(), place);
  refused((_, { borrowers }) => borrowers.find(({ mapped }) => mapped)!.ipas.push(asIpa(0)), place);
  refused((_, { borrowers }) => borrowers.find(({ mapped }) => mapped)!.accepted = false, /a mapped parcel was not accepted/);
  refused(({ parcels }, parcel) => parcels.push(structuredClone(parcel)), /parcels: two have one handle/);
  refused(({ parcels }) => parcels.splice(held, 1), /accepted: it names a parcel that the VM does not borrow/);
  refused(({ vms }) => vms.push(structuredClone(vms[0])), /vms: two have one VMID/);
  refused(({ vms }, { borrowers }) => {
    const borrower = vms.find(({ vmid }) => vmid === borrowers.find(({ mapped }) => mapped)!.vmid)!;
    Object.assign(borrower, { addresses: undefined, state: VmState.Resetting });
  }, /its VM has no addresses to give/);
  const exit = { vmid: asVmid(0x7fff), exited: undefined, request: undefined, vcpu: 0 };
  refused(({ exits }) => exits.push(exit), /exits: a VM that is being ended does not exist/);
  refused((state) => state.running = true, /running: no VM is being ended/);
});

Deno.test("a VM without what its state says is refused, a broken one may lack all of it", async () => {
  const whole = await demoState();
  const at = whole.vms.findIndex(({ config }) => config !== undefined);
  const change = (fields: Partial<VmRecord>) => {
    const state = structuredClone(whole);
    Object.assign(state.vms[at], fields);
    return state;
  };
  const rule = RegExp(`vms\\.${at}\\.state: the VM lacks`);
  const objects = whole.vms[at].objects!;
  for (const state of [VmState.Ready, VmState.Running, VmState.Paused, VmState.Exited]) {
    restore(change({ state }));
    for (const field of ["objects", "addresses", "config", "image"]) {
      assert.throws(() => restore(change({ state, [field]: undefined })), rule, `${state} without ${field}`);
    }
    for (const field of ["addrspace", "vic"]) {
      assert.throws(() => restore(change({ state, objects: { ...objects, [field]: undefined } })), rule, `${state} without ${field}`);
    }
  }
  const early = { addresses: undefined, config: undefined, accepted: [] };
  for (const state of [VmState.Auth, VmState.Init]) {
    assert.throws(() => restore(change({ state, objects: undefined })), rule);
    assert.throws(() => restore(change({ state, image: undefined })), rule);
  }
  assert.throws(() => restore(change({ state: VmState.None })), rule);
  for (const state of [VmState.InitFailed, VmState.Resetting]) {
    const broken = change({ state, objects: undefined, image: undefined, ...early });
    for (const { borrowers } of broken.parcels) {
      for (const borrower of borrowers) if (borrower.vmid === broken.vms[at].vmid) Object.assign(borrower, { mapped: false, ipas: [] });
    }
    restore(broken);
  }
});

Deno.test("objects that two fields of a state share are one in what is restored", async () => {
  const state = await demoState();
  const { vdevices } = state.vms.find((vm) => vm.vdevices.length > 0)!;
  const manager = new ResourceManager();
  vdevices.push({ ...vdevices[0] });
  manager.restore(state);
  const restored = manager.state.vms.find((vm) => vm.vdevices.length > 0)!.vdevices;
  assert.equal(restored.at(-1)!.objects, restored[0].objects);
  assert.notEqual(restored[0].objects, vdevices[0].objects);
});
