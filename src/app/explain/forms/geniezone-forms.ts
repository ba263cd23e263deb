// Messages of GenieZone's driver: drivers/virt/geniezone and arch/arm64/geniezone of Android's
// common kernels, and its module.

import { type FormEntry, formsOf } from "./form.ts";

const geniezone = formsOf("geniezone");

export const GENIEZONE_FORMS: readonly FormEntry[] = [
  ...["gzvm: probe of %s failed with error %d", "gzvm %s: probe with driver gzvm failed with error %d"].map((format) =>
    geniezone(format, {
      names: ["_", "errno"],
      sign: "conduit",
      says: ({ errno }) => `the driver did not take GenieZone's node: ${errno}`,
      call: "PROBE",
      book: ["geniezone", "2"],
      own: true,
    })
  ),
  geniezone("Not found available conduit", {
    sign: "conduit",
    says: "EL2 did not answer the driver's PROBE, so there is no /dev/gzvm",
    call: "PROBE",
    book: ["geniezone", "2"],
    own: true,
  }),
  geniezone("Failed to register memregion to hypervisor", {
    sign: "gz-refused",
    says: "the hypervisor refused a region of the VM's memory; SET_USER_MEMORY_REGION returns EFAULT",
    call: "SET_MEMREGION",
    book: ["geniezone", "5"],
    own: true,
  }),
  geniezone("Failed to fill constituents", {
    sign: "gz-refused",
    says: "a page of the VM's memory is not there: the VMM has not mapped all of the region",
    book: ["geniezone", "5"],
    own: true,
  }),
  geniezone("VM-%u is created", {
    names: ["vm"],
    sign: "host",
    says: ({ vm }) => `VM ${vm} was created`,
    call: "GZVM_CREATE_VM",
    book: ["geniezone", "9"],
    quiet: true,
  }),
  geniezone("VM-%u is going to be destroyed", {
    names: ["vm"],
    sign: "host",
    says: ({ vm }) => `VM ${vm} ends`,
    book: ["geniezone", "9"],
    quiet: true,
  }),
  geniezone("vcpu %d unknown exit, reason: %x", {
    names: ["vcpu", "reason"],
    sign: "exit",
    says: ({ vcpu, reason }) => `vCPU ${vcpu} left with the reason 0x${reason}, which the driver does not know`,
    call: "GZVM_RUN",
    book: ["geniezone", "4"],
  }),
  geniezone("gzvm_probe: a0=0x%lx", {
    names: ["answer"],
    sign: "host",
    says: ({ answer }) =>
      answer === "0" ? "EL2 answered PROBE: a hypervisor runs" : `EL2 answered PROBE with 0x${answer}: no hypervisor, or not this one`,
    call: "PROBE",
    book: ["geniezone", "2"],
    own: true,
    quiet: true,
  }),
  ...["mblock-%d-gz", "mblock-%d-gz-log", "mblock-%d-gz_ffa_mailbox"].map((format) =>
    geniezone(format, {
      names: ["_"],
      sign: "gz-memory",
      says: "the firmware reserves memory for GenieZone: its image is there, whether it runs or not",
      book: ["geniezone", "1"],
      own: true,
      quiet: true,
    })
  ),
];
