// Lines 125 to 132 and 136 to 138 of the checklist (docs/spec/resource-manager.md §14): lent
// interrupts, reserved addresses, the console.

import assert from "node:assert/strict";
import {
  VM_CONSOLE_CHARS,
  VM_CONSOLE_CLOSE,
  VM_CONSOLE_FLUSH,
  VM_CONSOLE_OPEN,
  VM_CONSOLE_WRITE,
} from "../../../../src/machine/abi/rpc/messages/console.ts";
import {
  IrqNotifyFlags,
  VIRQ_SAME,
  VM_IRQ_ACCEPT,
  VM_IRQ_LEND,
  VM_IRQ_NOTIFY,
  VM_IRQ_RECLAIM,
  VM_IRQ_RELEASE,
} from "../../../../src/machine/abi/rpc/messages/interrupts.ts";
import { AcceptFlags, MEM_ACCEPT, MEM_LEND } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { IPA_RESERVE } from "../../../../src/machine/abi/rpc/messages/platform.ts";
import { VM_STOP } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import type { Client } from "../client.ts";
import { guestTree, HOST_BASE, Machine, MEMORY, rmRpc } from "../machine.ts";

const IRQ = 40;

/** The primary and two running guests with consoles. */
class Parties {
  readonly machine = new Machine();
  readonly primary = this.machine.primary;
  readonly vmid = this.machine.start(guestTree("a", [rmRpc({ "console-dev": true })])).vmid;
  readonly guest = this.machine.guest(this.vmid);

  other(): Client {
    const { vmid } = this.machine.start(guestTree("b", [rmRpc({ "console-dev": true })]), HOST_BASE + MEMORY);
    return this.machine.guest(vmid);
  }

  lend(): number {
    return this.primary.get(VM_IRQ_LEND, { borrower: this.vmid, virq: IRQ, label: 0x66 }).handle;
  }

  accept(handle: number, by = this.guest): string {
    return by.ask(VM_IRQ_ACCEPT, { handle, virq: VIRQ_SAME }).error;
  }

  /** Name of the VIC that gets the interrupt; undefined while none does. */
  target(): unknown {
    return this.machine.system.hypervisor.hwirqs.get(IRQ)!.virqSources()[0].vic?.name;
  }

  vicOf(vmid: number): string {
    return this.machine.system.vcpu(vmid).attachments.vic!.name;
  }

  told(by: Client): string[] {
    by.receive();
    return by.notifications.splice(0);
  }

  notify(handle: number, flags: number, by: Client): string {
    const { payload } = by.askRaw(VM_IRQ_NOTIFY.id, VM_IRQ_NOTIFY.request.encode({ handle, flags, vmids: [] }).slice(0, 8));
    return payload[0] === 0 ? "OK" : `error ${payload[0]}`;
  }
}

Deno.test("R125: VM_IRQ_LEND of an interrupt that is not the hardware's returns IRQ_INVALID", () => {
  const { primary, guest, vmid } = new Parties();
  for (const virq of [960, 961, 400, 0xffff_ffff]) {
    assert.equal(primary.ask(VM_IRQ_LEND, { borrower: vmid, virq, label: 0 }).error, "IRQ_INVALID");
  }
  assert.equal(guest.ask(VM_IRQ_LEND, { borrower: 3, virq: IRQ, label: 0 }).error, "IRQ_INVALID", "only the primary owns any");
});

Deno.test("R126: VM_IRQ_LEND of a lent interrupt returns IRQ_INUSE", () => {
  const parties = new Parties();
  parties.lend();
  assert.equal(parties.primary.ask(VM_IRQ_LEND, { borrower: parties.vmid, virq: IRQ, label: 0 }).error, "IRQ_INUSE");
});

Deno.test("R127: VM_IRQ_ACCEPT by another VM returns HANDLE_INVALID, again IN_USE", () => {
  const parties = new Parties();
  const handle = parties.lend();
  assert.equal(parties.accept(handle, parties.other()), "HANDLE_INVALID");
  assert.equal(parties.accept(handle), "OK");
  assert.equal(parties.accept(handle), "IN_USE");
});

Deno.test("R128: VM_IRQ_RECLAIM of what is accepted returns IN_USE; after the release the owner has the interrupt again", () => {
  const parties = new Parties();
  assert.equal(parties.target(), parties.vicOf(3));
  const handle = parties.lend();
  assert.equal(parties.target(), undefined, "nobody has it while it is offered");
  assert.deepEqual(parties.guest.get(VM_IRQ_ACCEPT, { handle, virq: IRQ }), { virq: IRQ });
  assert.equal(parties.target(), parties.vicOf(parties.vmid));
  assert.equal(parties.primary.ask(VM_IRQ_RECLAIM, { handle }).error, "IN_USE");
  parties.guest.get(VM_IRQ_RELEASE, { handle });
  assert.equal(parties.accept(handle), "OK", "the borrower may accept again");
  parties.guest.get(VM_IRQ_RELEASE, { handle });
  parties.primary.get(VM_IRQ_RECLAIM, { handle });
  assert.equal(parties.target(), parties.vicOf(3));
  assert.equal(parties.accept(handle), "HANDLE_INVALID");
});

Deno.test("R129: VM_IRQ_NOTIFY LENT reaches the borrower with owner, handle and label, and the answers reach the owner", () => {
  const parties = new Parties();
  const handle = parties.lend();
  parties.told(parties.primary);
  assert.deepEqual(parties.told(parties.guest), [], "lending tells nobody");
  assert.equal(parties.notify(handle, IrqNotifyFlags.Lent, parties.primary), "OK");
  const shown = `0x${handle.toString(16)}`;
  assert.deepEqual(parties.told(parties.guest), [`VM_IRQ_LENT owner=3 handle=${shown} label=0x66`]);
  parties.accept(handle);
  assert.equal(parties.notify(handle, IrqNotifyFlags.Accepted, parties.guest), "OK");
  parties.guest.get(VM_IRQ_RELEASE, { handle });
  assert.equal(parties.notify(handle, IrqNotifyFlags.Released, parties.guest), "OK");
  assert.deepEqual(parties.told(parties.primary), [`VM_IRQ_ACCEPTED handle=${shown}`, `VM_IRQ_RELEASED handle=${shown}`]);
});

Deno.test("R130: the reset of a borrower makes its interrupts reclaimable", () => {
  const parties = new Parties();
  const handle = parties.lend();
  parties.accept(handle);
  parties.primary.get(VM_STOP, { vmid: parties.vmid, flags: 1, reason: 0 });
  assert.equal(parties.primary.ask(VM_IRQ_RECLAIM, { handle }).error, "IN_USE");
  parties.machine.reset(parties.vmid);
  parties.primary.get(VM_IRQ_RECLAIM, { handle });
  assert.equal(parties.target(), parties.vicOf(3));
});

/** A request for fixed ranges. */
function reserve(by: Client, ranges: readonly (readonly [number, number])[]): string {
  const fixed = ranges.map(([base, size]) => ({ base: BigInt(base), size: BigInt(size) }));
  return by.ask(IPA_RESERVE, { type: 0, generic_constraints: 0, platform_constraints: 0, fixed, requested: [] }).error;
}

Deno.test("R131: IPA_RESERVE from the primary returns DENIED, with 31 entries NORESOURCE", () => {
  const { primary, guest } = new Parties();
  assert.equal(reserve(primary, [[0x9000_0000, 0x1000]]), "DENIED");
  const entries = (count: number) => Array.from({ length: count }, (_, index) => [0x9000_0000 + index * 0x1000, 0x1000] as const);
  assert.equal(reserve(guest, entries(31)), "NORESOURCE");
  assert.equal(reserve(guest, entries(30)), "OK");
  assert.equal(reserve(guest, [[0xa000_0000, 0x1000], [0x9000_0000, 0x1000]]), "DENIED", "all of them or none");
  assert.equal(reserve(guest, [[0xa000_0000, 0x1000]]), "OK");
});

Deno.test("R132: automatic MEM_ACCEPT never uses a reserved range, and naming it does", () => {
  const { primary, guest, vmid } = new Parties();
  assert.equal(reserve(guest, [[0x4000_1000, 0x2000]]), "OK");
  const accept = (page: number, entries: { address: bigint; size: bigint }[]) => {
    const sgl = [{ address: 0x4700_0000n + BigInt(page * 0x1000), size: 0x1000n }];
    const { handle } = primary.get(MEM_LEND, { mem_type: 0, flags: 0, label: 0, acl: [{ vmid, rights: 7 }], sgl, attributes: [] });
    const none = { acl: [], attributes: [], label: 0 };
    return guest.ask(MEM_ACCEPT, { handle, mem_type: 0, trans_type: 1, flags: AcceptFlags.Done, ...none, sgl: { entries, annotation: 0 } });
  };
  assert.deepEqual(accept(0, []).value, { sgl: { entries: [{ address: 0x4000_3000n, size: 0x1000n }], annotation: 0 } });
  assert.equal(accept(1, [{ address: 0x4000_1000n, size: 0x1000n }]).error, "OK");
});

const text = (value: string) => new TextEncoder().encode(value);
const shown = (value: string) => [...text(value)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

Deno.test("R136: what is written to a closed peer is OK and is not delivered later", () => {
  const parties = new Parties();
  const { primary, guest, vmid } = parties;
  parties.told(primary);
  guest.get(VM_CONSOLE_OPEN, { target: 0 });
  guest.get(VM_CONSOLE_WRITE, { target: 0, data: text("lost") });
  primary.get(VM_CONSOLE_OPEN, { target: vmid });
  assert.deepEqual(parties.told(primary), []);
  guest.get(VM_CONSOLE_WRITE, { target: 0, data: text("heard") });
  guest.get(VM_CONSOLE_FLUSH, { target: 0 });
  assert.deepEqual(parties.told(primary), [`${VM_CONSOLE_CHARS.name} from=0x80 data=${shown("heard")}`]);
  guest.get(VM_CONSOLE_CLOSE, { target: 0 });
  assert.equal(guest.ask(VM_CONSOLE_WRITE, { target: 0, data: text("x") }).error, "DENIED");
});

Deno.test("R137: characters from a guest reach the primary with the guest's VMID, those to it say 0", () => {
  const parties = new Parties();
  const { primary, guest, vmid } = parties;
  parties.told(primary);
  guest.get(VM_CONSOLE_OPEN, { target: 0 });
  primary.get(VM_CONSOLE_OPEN, { target: vmid });
  guest.get(VM_CONSOLE_WRITE, { target: 0, data: text("up") });
  primary.get(VM_CONSOLE_WRITE, { target: vmid, data: text("down") });
  assert.deepEqual(parties.told(primary), [`VM_CONSOLE_CHARS from=0x80 data=${shown("up")}`]);
  assert.deepEqual(parties.told(guest), [`VM_CONSOLE_CHARS from=0 data=${shown("down")}`]);
});

Deno.test("R138: a console write whose num_bytes is not its length returns MSG_INVALID", () => {
  const { guest } = new Parties();
  guest.get(VM_CONSOLE_OPEN, { target: 0 });
  const payload = VM_CONSOLE_WRITE.request.encode({ target: 0, data: text("four") });
  for (const bytes of [payload.slice(0, 7), Uint8Array.of(...payload, 0), payload.slice(0, 3), new Uint8Array(0)]) {
    assert.equal(guest.askRaw(VM_CONSOLE_WRITE.id, bytes).payload[0], 4);
  }
});
