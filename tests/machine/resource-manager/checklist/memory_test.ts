// Lines 92 to 124 of the checklist (docs/spec/resource-manager.md §14): memory parcels.

import assert from "node:assert/strict";
import {
  AcceptFlags,
  CreateFlags,
  MEM_ACCEPT,
  MEM_APPEND,
  MEM_DONATE,
  MEM_LEND,
  MEM_NOTIFY,
  MEM_RECLAIM,
  MEM_RELEASE,
  MEM_SHARE,
  NotifyFlags,
} from "../../../../src/machine/abi/rpc/messages/memory.ts";
import type { Values } from "../../../../src/machine/abi/rpc/layout.ts";
import { PacketType } from "../../../../src/machine/abi/rpc/packet.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import type { Client } from "../client.ts";
import { guestTree, Machine, rmRpc } from "../machine.ts";

const PA = 0x4700_0000;
const PAGE = 0x1000;
const range = (address: number, size = PAGE) => ({ address: BigInt(address), size: BigInt(size) });
const OWNER = { vmid: 3, rights: 7 };
/**
 * The address at which a guest that may choose puts a parcel, and the Resource Manager's first
 * choice: after the info page.
 */
const GUEST_IPA = 0x9000_0000;
const FIRST_IPA = 0x4000_1000;

type Create = Values<typeof MEM_LEND.request.fields>;
type Accept = Values<typeof MEM_ACCEPT.request.fields>;

/** The primary and a running guest, as the two sides of parcels of one page. */
class Parties {
  readonly machine = new Machine();
  readonly primary = this.machine.primary;
  readonly vmid: number;
  readonly guest: Client;

  constructor() {
    this.vmid = this.machine.start(guestTree("borrower", [rmRpc()])).vmid;
    this.guest = this.machine.guest(this.vmid);
  }

  create(more: Partial<Create> = {}): Create {
    return { mem_type: 0, flags: 0, label: 0, acl: [{ vmid: this.vmid, rights: 7 }], sgl: [range(PA)], attributes: [], ...more };
  }

  lendError(more: Partial<Create>): string {
    return this.primary.ask(MEM_LEND, this.create(more)).error;
  }

  lend(more: Partial<Create> = {}): number {
    return this.primary.get(MEM_LEND, this.create(more)).handle;
  }

  share(rights = 7): number {
    return this.primary.get(MEM_SHARE, this.create({ acl: [{ vmid: this.vmid, rights }, OWNER] })).handle;
  }

  accepting(handle: number, more: Partial<Accept> = {}): Accept {
    const none = { acl: [], sgl: { entries: [], annotation: 0 }, attributes: [] };
    return { handle, mem_type: 0, trans_type: 1, flags: AcceptFlags.Done, label: 0, ...none, ...more };
  }

  acceptError(handle: number, more: Partial<Accept> = {}, by = this.guest): string {
    return by.ask(MEM_ACCEPT, this.accepting(handle, more)).error;
  }

  accept(handle: number, more: Partial<Accept> = {}): void {
    assert.equal(this.acceptError(handle, more), "OK");
  }

  reclaimError(handle: number, flags = 0): string {
    return this.primary.ask(MEM_RECLAIM, { handle, flags }).error;
  }

  /** Bytes at an address of the primary; undefined if it has no access. */
  read(address = PA): Uint8Array | undefined {
    return this.machine.system.act((vcpu) => vcpu.read(address, 4));
  }

  write(bytes: Uint8Array, address = PA): boolean {
    return this.machine.system.act((vcpu) => vcpu.write(address, bytes));
  }

  guestRead(address: number): Uint8Array | undefined {
    return this.machine.system.guest(this.vmid).read(address, 4);
  }

  /** Texts of the notifications that a side got since the last look. */
  told(by: Client): string[] {
    by.receive();
    return by.notifications.splice(0);
  }
}

const DATA = Uint8Array.of(1, 2, 3, 4);
const ZEROS = new Uint8Array(4);

Deno.test("R92: the first parcel handle of a fresh Resource Manager is 0", () => {
  const { primary } = new Machine();
  const request = { mem_type: 0, flags: 0, label: 0, acl: [{ vmid: 255, rights: 7 }], attributes: [] };
  const handles = [0, 1, 2].map((page) => primary.get(MEM_LEND, { ...request, sgl: [range(PA + page * PAGE)] }).handle);
  assert.deepEqual(handles, [0, 1, 2]);
});

Deno.test("R93: MEM_LEND whose ACL has the owner, and MEM_SHARE whose ACL has not, return ARGUMENT_INVALID", () => {
  const parties = new Parties();
  const borrower = { vmid: parties.vmid, rights: 7 };
  assert.equal(parties.lendError({ acl: [borrower, OWNER] }), "ARGUMENT_INVALID");
  assert.equal(parties.primary.ask(MEM_SHARE, parties.create()).error, "ARGUMENT_INVALID");
});

Deno.test("R94: MEM_LEND with rights 1, 2 or 3 returns ARGUMENT_INVALID", () => {
  const parties = new Parties();
  const errors = Array.from(
    { length: 10 },
    (_, rights) => parties.lendError({ acl: [{ vmid: parties.vmid, rights }] }) === "OK" ? rights : -1,
  );
  // Rights 4 took the page; 5 to 7 then fail for that alone.
  assert.deepEqual(errors.filter((rights) => rights >= 0), [4]);
  for (const rights of [0, 1, 2, 3, 8]) assert.equal(parties.lendError({ acl: [{ vmid: 255, rights }] }), "ARGUMENT_INVALID");
  for (const rights of [5, 6, 7]) assert.equal(parties.lendError({ acl: [{ vmid: 255, rights }] }), "MEM_INVALID");
});

Deno.test("R95: MEM_LEND with a VM twice in the ACL returns ARGUMENT_INVALID", () => {
  const parties = new Parties();
  const entry = { vmid: parties.vmid, rights: 7 };
  assert.equal(parties.lendError({ acl: [entry, { ...entry, rights: 4 }] }), "ARGUMENT_INVALID");
});

Deno.test("R96: MEM_LEND to a dynamic VMID that is not allocated returns ARGUMENT_INVALID", () => {
  const parties = new Parties();
  assert.equal(parties.lendError({ acl: [{ vmid: 0x90, rights: 7 }] }), "ARGUMENT_INVALID");
  assert.equal(parties.lendError({ acl: [{ vmid: 5, rights: 7 }] }), "OK", "platform VMIDs count as allocated");
});

Deno.test("R97: MEM_LEND of an unaligned address or size returns ARGUMENT_INVALID", () => {
  const parties = new Parties();
  assert.equal(parties.lendError({ sgl: [range(PA + 8)] }), "ARGUMENT_INVALID");
  assert.equal(parties.lendError({ sgl: [range(PA, PAGE + 1)] }), "ARGUMENT_INVALID");
  assert.equal(parties.lendError({ sgl: [{ address: 1n << 44n, size: 0x1000n }] }), "ARGUMENT_INVALID");
});

Deno.test("R98: MEM_LEND of memory that is lent returns MEM_INVALID, also of a part of it", () => {
  const parties = new Parties();
  parties.lend({ sgl: [range(PA, 4 * PAGE)] });
  assert.equal(parties.lendError({}), "MEM_INVALID");
  assert.equal(parties.lendError({ sgl: [range(PA - PAGE, 2 * PAGE)] }), "MEM_INVALID");
});

Deno.test("R99: MEM_LEND of borrowed memory by the borrower returns MEM_INVALID", () => {
  const parties = new Parties();
  parties.accept(parties.lend());
  const request = parties.create({ acl: [{ vmid: 3, rights: 7 }], sgl: [range(FIRST_IPA)] });
  assert.equal(parties.guest.ask(MEM_LEND, request).error, "MEM_INVALID");
});

Deno.test("R100: the 65th parcel of an owner returns DENIED", () => {
  const parties = new Parties();
  // The guest's image is one.
  for (let count = 1; count < 64; count++) parties.lend({ sgl: [range(PA + count * PAGE)] });
  assert.equal(parties.lendError({}), "DENIED");
  assert.equal(parties.reclaimError(1), "OK");
  assert.equal(parties.lendError({}), "OK");
});

Deno.test("R101: 513 SGL entries in one message return NORESOURCE, 512 are taken", () => {
  const parties = new Parties();
  const pages = (count: number) => Array.from({ length: count }, (_, index) => range(PA + 2 * index * PAGE));
  assert.equal(parties.lendError({ sgl: pages(513) }), "NORESOURCE");
  assert.equal(parties.lendError({ sgl: pages(512) }), "OK");
  checkInvariants(parties.machine.system.hypervisor);
});

Deno.test("R102: MEM_DONATE with two ACL entries returns ARGUMENT_INVALID, with less than all rights DENIED", () => {
  const parties = new Parties();
  const donate = (acl: Create["acl"]) => parties.primary.ask(MEM_DONATE, parties.create({ acl })).error;
  const { vmid } = parties;
  assert.equal(donate([{ vmid, rights: 7 }, { vmid: 255, rights: 7 }]), "ARGUMENT_INVALID");
  assert.equal(donate([{ vmid, rights: 6 }]), "DENIED");
});

Deno.test("R103: a parcel of device memory with X, or with SANITIZE, returns ARGUMENT_INVALID", () => {
  const parties = new Parties();
  const device = { mem_type: 1, sgl: [range(0x0900_0000)] };
  assert.equal(parties.lendError({ ...device, acl: [{ vmid: parties.vmid, rights: 7 }] }), "ARGUMENT_INVALID");
  assert.equal(parties.lendError({ ...device, acl: [{ vmid: parties.vmid, rights: 6 }], flags: CreateFlags.Sanitize }), "ARGUMENT_INVALID");
});

Deno.test("R104: a missing attribute list at the end is empty, but less than 20 bytes are too few", () => {
  const parties = new Parties();
  const whole = MEM_LEND.request.encode(parties.create());
  const error = (length: number) => parties.primary.askRaw(MEM_LEND.id, whole.slice(0, length)).payload[0];
  assert.equal(error(whole.length - 4), 0);
  assert.equal(error(19), 4);
});

Deno.test("R105: bytes behind the attribute list return MSG_INVALID", () => {
  const parties = new Parties();
  const whole = MEM_LEND.request.encode(parties.create());
  for (const more of [1, 4]) {
    const payload = new Uint8Array(whole.length + more);
    payload.set(whole);
    assert.equal(parties.primary.askRaw(MEM_LEND.id, payload).payload[0], 4);
  }
});

Deno.test("R106: MEM_APPEND after DONE returns DENIED, by another than the owner DENIED, of an unknown handle HANDLE_INVALID", () => {
  const parties = new Parties();
  const handle = parties.lend({ flags: CreateFlags.Append });
  const append = (page: number, flags = 0, by = parties.primary, to = handle) =>
    by.ask(MEM_APPEND, { handle: to, flags, sgl: [range(PA + page * PAGE)] }).error;
  assert.equal(append(1, 0, parties.guest), "DENIED");
  assert.equal(append(1, 0, parties.primary, 0x99), "HANDLE_INVALID");
  assert.equal(append(1), "OK");
  assert.equal(append(2, 1), "OK");
  assert.equal(append(3), "DENIED");
});

Deno.test("R107: the owner loses lent pages at once and has them back at the same address after a reclaim", () => {
  const parties = new Parties();
  parties.write(DATA);
  const handle = parties.lend();
  assert.equal(parties.read(), undefined);
  assert.equal(parties.write(ZEROS), false);
  assert.deepEqual(parties.read(PA + PAGE), ZEROS, "the page beside it stays");
  assert.equal(parties.reclaimError(handle), "OK");
  assert.deepEqual(parties.read(), DATA);
  assert.ok(parties.write(ZEROS));
});

Deno.test("R108: the owner keeps shared pages, with the rights that the ACL leaves it", () => {
  const parties = new Parties();
  parties.write(DATA);
  const handle = parties.share();
  parties.accept(handle, { trans_type: 2 });
  assert.deepEqual(parties.read(), DATA);
  assert.deepEqual(parties.guestRead(FIRST_IPA), DATA);
  const acl = [{ vmid: parties.vmid, rights: 7 }, { vmid: 3, rights: 4 }];
  parties.primary.get(MEM_SHARE, parties.create({ acl, sgl: [range(PA + PAGE)] }));
  assert.deepEqual(parties.read(PA + PAGE), ZEROS);
  assert.equal(parties.write(DATA, PA + PAGE), false);
});

Deno.test("R109: SANITIZE when a parcel is made lets the borrower see zeros", () => {
  const parties = new Parties();
  parties.write(DATA);
  const handle = parties.lend({ flags: CreateFlags.Sanitize });
  parties.accept(handle, { flags: AcceptFlags.Done | AcceptFlags.ValidateSanitized });
  assert.deepEqual(parties.guestRead(FIRST_IPA), ZEROS);
});

Deno.test("R110: MEM_ACCEPT with SANITIZE lets the owner see zeros after the reclaim", () => {
  const parties = new Parties();
  parties.write(DATA);
  const handle = parties.lend();
  parties.accept(handle, { flags: AcceptFlags.Done | AcceptFlags.Sanitize });
  assert.deepEqual(parties.guestRead(FIRST_IPA), DATA, "not before");
  parties.guest.get(MEM_RELEASE, { handle, flags: 0 });
  assert.equal(parties.reclaimError(handle), "OK");
  assert.deepEqual(parties.read(), ZEROS);
});

Deno.test("R111: MEM_ACCEPT by the owner returns DENIED, by a VM outside of the ACL VMID_INVALID", () => {
  const parties = new Parties();
  assert.equal(parties.acceptError(parties.share(), { trans_type: 2 }, parties.primary), "DENIED");
  const handle = parties.lend({ acl: [{ vmid: 255, rights: 7 }], sgl: [range(PA + PAGE)] });
  assert.equal(parties.acceptError(handle), "VMID_INVALID");
});

Deno.test("R112: MEM_ACCEPT with another trans_type returns ARGUMENT_INVALID", () => {
  const parties = new Parties();
  const handle = parties.lend();
  for (const trans_type of [0, 2, 3]) assert.equal(parties.acceptError(handle, { trans_type }), "ARGUMENT_INVALID");
});

Deno.test("R113: MEM_ACCEPT with VALIDATE_ACL_ATTR and a permuted ACL returns VALIDATE_FAILED", () => {
  const parties = new Parties();
  const acl = [{ vmid: parties.vmid, rights: 7 }, { vmid: 255, rights: 4 }];
  const handle = parties.lend({ acl });
  const flags = AcceptFlags.Done | AcceptFlags.ValidateAclAttributes;
  assert.equal(parties.acceptError(handle, { flags, acl: [...acl].reverse() }), "VALIDATE_FAILED");
  assert.equal(parties.acceptError(handle, { flags, acl: [acl[0]] }), "VALIDATE_FAILED");
  assert.equal(parties.acceptError(handle, { flags }), "VALIDATE_FAILED");
  assert.equal(parties.acceptError(handle, { flags, acl }), "OK");
});

Deno.test("R114: MEM_ACCEPT with map_vmid returns ARGUMENT_INVALID, with MAP_OTHER DENIED", () => {
  const parties = new Parties();
  const handle = parties.lend();
  const sgl = { entries: [], annotation: parties.vmid };
  assert.equal(parties.acceptError(handle, { sgl }), "ARGUMENT_INVALID");
  assert.equal(parties.acceptError(handle, { sgl, flags: AcceptFlags.Done | AcceptFlags.MapOther }), "DENIED");
});

Deno.test("R115: MEM_ACCEPT without an SGL returns the addresses that were chosen, with one a standard reply", () => {
  const parties = new Parties();
  const first = parties.lend(), second = parties.lend({ sgl: [range(PA + PAGE), range(PA + 4 * PAGE, 2 * PAGE)] });
  const sgl = { entries: [range(GUEST_IPA)], annotation: 0 };
  const reply = parties.guest.askRaw(MEM_ACCEPT.id, MEM_ACCEPT.request.encode(parties.accepting(first, { sgl })));
  assert.equal(reply.type, PacketType.Reply);
  assert.equal(reply.payload.length, 4);
  const chosen = parties.guest.get(MEM_ACCEPT, parties.accepting(second));
  assert.deepEqual(chosen, { sgl: { entries: [range(FIRST_IPA), range(FIRST_IPA + PAGE, 2 * PAGE)], annotation: 0 } });
});

Deno.test("R116: MEM_ACCEPT again after DONE returns DENIED", () => {
  const parties = new Parties();
  const handle = parties.lend();
  parties.accept(handle);
  assert.equal(parties.acceptError(handle), "DENIED");
});

Deno.test("R117: MEM_RELEASE without an accept returns MEM_RELEASED", () => {
  const parties = new Parties();
  const handle = parties.lend();
  assert.equal(parties.guest.ask(MEM_RELEASE, { handle, flags: 0 }).error, "MEM_RELEASED");
  parties.accept(handle);
  assert.equal(parties.guest.ask(MEM_RELEASE, { handle, flags: 0 }).error, "OK");
  assert.equal(parties.guestRead(FIRST_IPA), undefined);
  assert.equal(parties.guest.ask(MEM_RELEASE, { handle, flags: 0 }).error, "MEM_RELEASED");
});

Deno.test("R118: MEM_RECLAIM of what is accepted returns MEM_INUSE, by another than the owner DENIED", () => {
  const parties = new Parties();
  const handle = parties.lend();
  assert.equal(parties.guest.ask(MEM_RECLAIM, { handle, flags: 0 }).error, "DENIED");
  parties.accept(handle);
  assert.equal(parties.reclaimError(handle), "MEM_INUSE");
  parties.guest.get(MEM_RELEASE, { handle, flags: 0 });
  assert.equal(parties.reclaimError(handle), "OK");
  assert.equal(parties.reclaimError(handle), "HANDLE_INVALID");
});

Deno.test("R119: MEM_RECLAIM of a parcel that is still open succeeds", () => {
  const parties = new Parties();
  const handle = parties.lend({ flags: CreateFlags.Append });
  parties.primary.get(MEM_APPEND, { handle, flags: 0, sgl: [range(PA + PAGE)] });
  assert.equal(parties.acceptError(handle), "DENIED", "nobody accepts it meanwhile");
  assert.equal(parties.reclaimError(handle), "OK");
  assert.deepEqual(parties.read(PA + PAGE), ZEROS);
});

/** MEM_NOTIFY; only SHARED and RECALL carry a list. */
function notify(by: Client, handle: number, flags: number, tag: number, vmids?: number[]): string {
  const request = MEM_NOTIFY.request.encode({ handle, flags, mem_info_tag: tag, vmids: (vmids ?? []).map((vmid) => ({ vmid })) });
  const { payload } = by.askRaw(MEM_NOTIFY.id, vmids === undefined ? request.slice(0, 12) : request);
  return ["OK", , , "DENIED", , , "ARGUMENT_INVALID", "HANDLE_INVALID", , , , "MEM_INUSE", "MEM_RELEASED"][payload[0]] ??
    String(payload[0]);
}

Deno.test("R120: MEM_NOTIFY with two flags, or none, returns ARGUMENT_INVALID", () => {
  const parties = new Parties();
  const handle = parties.lend();
  for (const flags of [0, 3, 5, 16]) assert.equal(notify(parties.primary, handle, flags, 1, [parties.vmid]), "ARGUMENT_INVALID");
});

Deno.test("R121: MEM_NOTIFY SHARED delivers MEM_SHARED with sizes of 8 bytes", () => {
  const parties = new Parties();
  const handle = parties.lend({ label: 0x55, sgl: [range(PA), range(PA + 4 * PAGE, 2 * PAGE)], flags: CreateFlags.Sanitize });
  assert.equal(notify(parties.primary, handle, NotifyFlags.Shared, 0x77, [parties.vmid]), "OK");
  const [message] = parties.guest.receive();
  const expected = [
    [handle, 0, 0, 0, 0, 1, CreateFlags.Sanitize, 0, 3, 0, 0, 0, 0x55, 0, 0, 0, 0x77, 0, 0, 0],
    [1, 0, 0, 0, parties.vmid, 0, 7, 0],
    [2, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0],
  ].flat();
  assert.deepEqual([...message.payload], expected);
});

Deno.test("R122: MEM_NOTIFY ACCEPTED before the accept returns MEM_RELEASED, RELEASED while mapped MEM_INUSE", () => {
  const parties = new Parties();
  const handle = parties.lend();
  parties.told(parties.primary);
  assert.equal(notify(parties.guest, handle, NotifyFlags.Accepted, 5), "MEM_RELEASED");
  parties.accept(handle);
  assert.equal(notify(parties.guest, handle, NotifyFlags.Released, 5), "MEM_INUSE");
  assert.equal(notify(parties.guest, handle, NotifyFlags.Accepted, 5), "OK");
  parties.guest.get(MEM_RELEASE, { handle, flags: 0 });
  assert.equal(notify(parties.guest, handle, NotifyFlags.Released, 5), "OK");
  assert.deepEqual(parties.told(parties.primary), [
    `MEM_ACCEPTED handle=1 vmid=0x80 mem_info_tag=0`,
    `MEM_RELEASED handle=1 vmid=0x80 mem_info_tag=0`,
  ]);
  assert.equal(notify(parties.primary, handle, NotifyFlags.Recall, 5, [parties.vmid]), "OK");
  assert.deepEqual(parties.told(parties.guest), ["MEM_RECALL handle=1 mem_info_tag=5"]);
});

Deno.test("R123: a second MEM_NOTIFY with another tag returns ARGUMENT_INVALID", () => {
  const parties = new Parties();
  const handle = parties.lend();
  assert.equal(notify(parties.primary, handle, NotifyFlags.Shared, 5, [parties.vmid]), "OK");
  assert.equal(notify(parties.primary, handle, NotifyFlags.Shared, 6, [parties.vmid]), "ARGUMENT_INVALID");
  assert.equal(notify(parties.primary, handle, NotifyFlags.Shared, 5, [parties.vmid]), "OK");
});

Deno.test("R124: a donated parcel's handle is gone once it is accepted, and so is the giver's access", () => {
  const parties = new Parties();
  parties.write(DATA);
  const { handle } = parties.primary.get(MEM_DONATE, parties.create());
  parties.accept(handle, { trans_type: 0 });
  assert.deepEqual(parties.guestRead(FIRST_IPA), DATA);
  assert.equal(parties.read(), undefined);
  assert.equal(parties.reclaimError(handle), "HANDLE_INVALID");
  assert.equal(parties.lendError({}), "MEM_INVALID", "it is not the giver's any more");
  const request = parties.create({ acl: [{ vmid: 3, rights: 7 }], sgl: [range(FIRST_IPA)] });
  assert.equal(parties.guest.ask(MEM_LEND, request).error, "OK", "it is the new owner's");
  checkInvariants(parties.machine.system.hypervisor);
});
