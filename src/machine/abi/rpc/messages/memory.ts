// Messages about memory parcels (docs/spec/resource-manager.md §3.1 to §3.6).

import { annotatedList, list, listWhen, reserved, u16, u32, u64, u8 } from "../layout.ts";
import { notification, request } from "../message.ts";

/** mem_type: any value but `Io` is taken as normal memory. */
export const MemType = { Normal: 0, Io: 1 } as const;
/** trans_type. */
export const TransType = { Donate: 0, Lend: 1, Share: 2 } as const;
/** Attributes of a mapping: `attr` of the attribute list. */
export const MemAttribute = { Normal: 0, Device: 1, Uncached: 2, Cached: 3 } as const;

/** `flags` of the three messages that create a parcel. */
export const CreateFlags = { Sanitize: 1, Append: 2 } as const;
/** `flags` of MEM_APPEND. */
export const AppendFlags = { Done: 1 } as const;
/** `flags` of MEM_ACCEPT. */
export const AcceptFlags = {
  ValidateSanitized: 1,
  ValidateAclAttributes: 2,
  ValidateLabel: 4,
  MapOther: 8,
  MapContiguous: 16,
  Sanitize: 32,
  Done: 128,
} as const;
/** `flags` of MEM_RELEASE and MEM_RECLAIM. */
export const ReturnFlags = { Sanitize: 1 } as const;
/** `flags` of MEM_NOTIFY: exactly one. */
export const NotifyFlags = { Shared: 1, Released: 2, Accepted: 4, Recall: 8 } as const;
/** Bit 0 of the flags in the reply to MEM_ACCEPT: some regions have no address yet. */
export const ACCEPT_INCOMPLETE = 1;

/** The rights per VM: `rights` is one of `Access` (X 1, W 2, R 4). */
const aclEntry = { vmid: u16, rights: u8, reserved: reserved(1) } as const;
/** A range of addresses, bytes. */
const sglEntry = { address: u64, size: u64 } as const;
/** The attribute of one VM's mapping. */
const attributeEntry = { attribute: u16, vmid: u16 } as const;

const create = {
  mem_type: u8,
  reserved0: reserved(1),
  flags: u8,
  reserved1: reserved(1),
  label: u32,
  acl: list(aclEntry),
  sgl: list(sglEntry),
  attributes: list(attributeEntry),
} as const;
const created = {
  section: "3.1",
  errors: ["MSG_INVALID", "NORESOURCE", "ARGUMENT_INVALID", "DENIED", "NOMEM", "VMID_INVALID", "MEM_INVALID"],
  reply: { handle: u32 },
  rules: { minimum: 20 },
} as const;

/** An owner makes a parcel of its memory. */
export const MEM_DONATE = request("MEM_DONATE", 0x5100_0010, create, created);
/** As MEM_DONATE, but the memory comes back and the owner has no access meanwhile. */
export const MEM_LEND = request("MEM_LEND", 0x5100_0012, create, created);
/** As MEM_LEND, but the owner keeps access. */
export const MEM_SHARE = request("MEM_SHARE", 0x5100_0013, create, { ...created, errors: [...created.errors, "MAP_FAILED"] });

/** The owner adds regions to a parcel that was created with `CreateFlags.Append`. */
export const MEM_APPEND = request(
  "MEM_APPEND",
  0x5100_0018,
  { handle: u32, flags: u8, reserved: reserved(3), sgl: list(sglEntry) },
  {
    section: "3.1",
    errors: ["MSG_INVALID", "NORESOURCE", "ARGUMENT_INVALID", "HANDLE_INVALID", "DENIED", "MEM_INVALID", "MAP_FAILED"],
    rules: { minimum: 12 },
  },
);

/** A VM of the ACL maps the parcel. The annotation of `sgl` is map_vmid. */
export const MEM_ACCEPT = request(
  "MEM_ACCEPT",
  0x5100_0011,
  {
    handle: u32,
    mem_type: u8,
    trans_type: u8,
    flags: u8,
    reserved: reserved(1),
    label: u32,
    acl: list(aclEntry),
    sgl: annotatedList(sglEntry),
    attributes: list(attributeEntry),
  },
  {
    section: "3.2",
    errors: [
      ...["MSG_INVALID", "NORESOURCE", "HANDLE_INVALID", "ARGUMENT_INVALID", "VALIDATE_FAILED"] as const,
      ...["DENIED", "VMID_INVALID", "MEM_INVALID", "MAP_FAILED"] as const,
    ],
    reply: { sgl: annotatedList(sglEntry) },
    rules: { minimum: 24 },
  },
);

/** A borrower unmaps the parcel. */
export const MEM_RELEASE = request("MEM_RELEASE", 0x5100_0014, { handle: u32, flags: u8, reserved: reserved(3) }, {
  section: "3.3",
  errors: ["MSG_INVALID", "HANDLE_INVALID", "DENIED", "MEM_RELEASED", "ARGUMENT_INVALID", "MAP_FAILED"],
  rules: { longer: "ignored" },
});
/** The owner takes its memory back. */
export const MEM_RECLAIM = request("MEM_RECLAIM", 0x5100_0015, { handle: u32, flags: u8, reserved: reserved(3) }, {
  section: "3.4",
  errors: ["MSG_INVALID", "HANDLE_INVALID", "DENIED", "MEM_INUSE", "ARGUMENT_INVALID", "MEM_INVALID"],
  rules: { longer: "ignored" },
});

/** Notifies the other side of the parcel. */
export const MEM_NOTIFY = request("MEM_NOTIFY", 0x5100_0017, {
  handle: u32,
  flags: u8,
  reserved: reserved(3),
  mem_info_tag: u32,
  vmids: listWhen("flags", [NotifyFlags.Shared, NotifyFlags.Recall], list({ vmid: u16, reserved: reserved(2) })),
}, {
  section: "3.5",
  errors: [
    ...["MSG_INVALID", "NORESOURCE", "HANDLE_INVALID", "ARGUMENT_INVALID", "DENIED"] as const,
    ...["VMID_INVALID", "MEM_INUSE", "MEM_RELEASED"] as const,
  ],
  rules: { longer: "ignored" },
});

/** Finds a parcel of the caller by what it holds. */
export const MEM_QCOM_LOOKUP_SGL = request(
  "MEM_QCOM_LOOKUP_SGL",
  0x5100_001a,
  {
    mem_type: u8,
    reserved: reserved(3),
    label: u32,
    acl: list(aclEntry),
    sgl: list(sglEntry),
    attributes: list(attributeEntry),
  },
  { section: "3.6", errors: ["MSG_INVALID", "NORESOURCE", "LOOKUP_FAILED"], reply: { handle: u32 }, rules: { minimum: 16 } },
);

/** To the borrowers that MEM_NOTIFY lists. */
export const MEM_SHARED = notification("MEM_SHARED", 0x5110_0011, "3.5", {
  handle: u32,
  mem_type: u8,
  trans_type: u8,
  flags: u8,
  reserved0: reserved(1),
  owner: u16,
  reserved1: reserved(2),
  label: u32,
  mem_info_tag: u32,
  acl: list(aclEntry),
  sizes: list({ size: u64 }),
  attributes: list(attributeEntry),
});
const returned = { handle: u32, vmid: u16, reserved: reserved(2), mem_info_tag: u32 } as const;
/** To the owner. */
export const MEM_RELEASED = notification("MEM_RELEASED", 0x5110_0012, "3.5", returned);
/** To the owner. */
export const MEM_ACCEPTED = notification("MEM_ACCEPTED", 0x5110_0013, "3.5", returned);
/** To the borrowers that MEM_NOTIFY lists. */
export const MEM_RECALL = notification("MEM_RECALL", 0x5110_0014, "3.5", { handle: u32, mem_info_tag: u32 });
