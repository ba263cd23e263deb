// The hypercalls on cspaces, and those on objects of any type (docs/spec/hypervisor.md §3.6, §4.4).

import { ErrorCode } from "../../abi/errors.ts";
import { CspaceRight } from "../../abi/rights.ts";
import { activatable, active, configurable } from "./capability-rules.ts";
import { Cspace } from "./cspace.ts";
import { creation } from "./hypercall-create.ts";
import { hypercall, type HypercallDefinition } from "./hypercall-definition.ts";

export const calls: readonly HypercallDefinition[] = [
  creation("partition_create_cspace", Cspace),

  hypercall("cspace_configure", {
    caps: { cspace: configurable("cspace") },
    handler: (_call, { cspace, max_caps }) => cspace.configure(max_caps),
  }),
  hypercall("cspace_attach_thread", {
    caps: { thread: configurable("thread"), cspace: active("cspace", CspaceRight.Attach) },
    handler(_call, { cspace, thread }) {
      thread.attachments.attachCspace(cspace);
      return ErrorCode.OK;
    },
  }),
  hypercall("cspace_copy_cap_from", {
    caps: { src_cspace: active("cspace", CspaceRight.CapCopy), dest_cspace: active("cspace", CspaceRight.CapCreate) },
    handler(_call, { src_cspace, src_cap, dest_cspace, rights_mask }) {
      const new_cap = dest_cspace.insertCopy(src_cspace, src_cap, rights_mask);
      return typeof new_cap === "bigint" ? { new_cap } : new_cap;
    },
  }),
  hypercall("cspace_delete_cap_from", {
    caps: { cspace: active("cspace", CspaceRight.CapDelete) },
    handler: (_call, { cspace, cap }) => cspace.delete(cap),
  }),
  hypercall("cspace_revoke_cap_from", { handler: (call) => call.refuse(ErrorCode.UNIMPLEMENTED, "no build implements this call") }),
  hypercall("cspace_revoke_caps_from", {
    caps: { src_cspace: active("cspace", CspaceRight.CapRevoke) },
    handler: (_call, { src_cspace, master_cap }) => src_cspace.revokeCopies(master_cap),
  }),

  hypercall("object_activate", {
    caps: { cap: activatable() },
    handler: (_call, { cap }) => cap.activate(),
  }),
  hypercall("object_activate_from", {
    caps: { cspace: active("cspace", CspaceRight.CapCreate) },
    handler(_call, { cspace, cap }) {
      const object = cspace.lookup(cap, activatable());
      return typeof object === "number" ? object : object.activate();
    },
  }),
  hypercall("object_reset", { handler: (call) => call.refuse(ErrorCode.UNIMPLEMENTED, "no build implements this call") }),
  hypercall("object_reset_from", { handler: (call) => call.refuse(ErrorCode.UNIMPLEMENTED, "no build implements this call") }),
];
