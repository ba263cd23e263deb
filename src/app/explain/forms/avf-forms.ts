// Messages of virtmgr, Android's manager of VMs (packages/modules/Virtualization): how crosvm
// ended, and why a Microdroid says that it failed.

import { type FormEntry, formsOf } from "./form.ts";

const avf = formsOf("avf");

/** The exit statuses of crosvm with --extended-status that it gives a meaning. */
const STATUSES: Readonly<Record<string, string>> = {
  "exit status: 1": "crosvm could not start the VM; the lines of crosvm before it have the reason (START_FAILED)",
  "exit status: 32": "the guest asked for a reset (REBOOT)",
  "exit status: 33": "the guest has crashed (CRASH)",
  "exit status: 36": "a vCPU of the guest stalled: its watchdog ended the VM (WATCHDOG_REBOOT)",
};
const SHUTDOWN = "exit status: 0";

/** The same failure in older and in newer releases of pvmfw. */
const BAD_CERTIFICATES = "pvmfw does not accept the certificates that the phone's boot loader gave it";

/** Reasons for the death of a VM that its guest or virtmgr names. */
const REASONS: Readonly<Record<string, string>> = {
  PVM_FIRMWARE_PUBLIC_KEY_MISMATCH: "pvmfw does not accept the image: another key has signed it than the one that pvmfw trusts",
  PVM_FIRMWARE_INSTANCE_IMAGE_CHANGED: "pvmfw refuses the VM: its image is not the one with which its instance was made",
  PVM_FIRMWARE_PAYLOAD_VERIFICATION_FAILED: "pvmfw could not verify the kernel's signature",
  PVM_FIRMWARE_INVALID_FDT: "pvmfw refuses the VM's devicetree",
  PVM_FIRMWARE_INVALID_PAYLOAD: "pvmfw refuses the place or size of the VM's kernel",
  PVM_FIRMWARE_INVALID_RAMDISK: "pvmfw refuses the place or size of the VM's ramdisk",
  PVM_FIRMWARE_INVALID_BCC: BAD_CERTIFICATES,
  PVM_FIRMWARE_INVALID_DICE_HANDOVER: BAD_CERTIFICATES,
  PVM_FIRMWARE_INVALID_CONFIG_DATA: "pvmfw does not accept the configuration that the phone's boot loader gave it",
  PVM_FIRMWARE_SECRET_DERIVATION_FAILED: "pvmfw could not derive the VM's secrets from those of the phone",
  PVM_FIRMWARE_INTERNAL_ERROR: "pvmfw failed, and does not say why: its own log has more",
  MICRODROID_FAILED_TO_CONNECT_TO_VIRTUALIZATION_SERVICE: "Microdroid could not reach virtmgr by vsock",
  MICRODROID_PAYLOAD_HAS_CHANGED: "the APK or an APEX is not the one with which the VM's instance was made",
  MICRODROID_PAYLOAD_VERIFICATION_FAILED: "the APK or an APEX did not pass its verification",
  MICRODROID_INVALID_PAYLOAD_CONFIG: "the configuration of the VM's payload is not valid",
  MICRODROID_UNKNOWN_RUNTIME_ERROR: "Microdroid failed, and does not say why: its own log has more",
  HANGUP: "Microdroid did not start its payload in time",
};

/** A failure of pvmfw in its own log, which other programs' words may be like. */
const pvmfw = (format: string, reason: keyof typeof REASONS): FormEntry =>
  avf(format, { names: ["_"], sign: "avf-end", values: { reason }, says: REASONS[reason], shared: true });

export const AVF_FORMS: readonly FormEntry[] = [
  avf("[INFO] pVM firmware", { sign: "host", says: "pvmfw starts, before the kernel of a protected VM", own: true, quiet: true }),
  pvmfw("[ERROR] Failed to verify the payload: {}", "PVM_FIRMWARE_PAYLOAD_VERIFICATION_FAILED"),
  pvmfw("[ERROR] Invalid BCC Handover: {}", "PVM_FIRMWARE_INVALID_BCC"),
  pvmfw("[ERROR] Invalid DICE Handover: {}", "PVM_FIRMWARE_INVALID_DICE_HANDOVER"),
  pvmfw("[ERROR] Failed to derive next-stage DICE secrets: {}", "PVM_FIRMWARE_SECRET_DERIVATION_FAILED"),
  // Its console for the VMM has only this.
  ...Object.entries(REASONS).filter(([reason]) => reason.startsWith("PVM_FIRMWARE_")).map(([reason, says]) =>
    avf(reason, { sign: "avf-end", values: { reason }, says, own: true })
  ),
  avf("crosvm({}) exited with status {}", {
    names: ["_", "status"],
    sign: "avf-end",
    says: ({ status }) => STATUSES[status] ?? `crosvm ended by itself or was killed: ${status}`,
    only: ({ status }) => status !== SHUTDOWN,
    own: true,
  }),
  avf("crosvm({}) exited with status {}", {
    names: ["_", "status"],
    sign: "host",
    says: "the VM was shut down (SHUTDOWN)",
    only: ({ status }) => status === SHUTDOWN,
    own: true,
    quiet: true,
  }),
  // A bar separates the reason from more about it.
  ...[["VM returned failure reason '{}|{}'", "_"], ["VM returned failure reason '{}'"]].map(([format, ...more]) =>
    avf(format, {
      names: ["reason", ...more],
      sign: "avf-end",
      says: ({ reason }) => REASONS[reason] ?? `the guest reports ${reason}, which el2 does not know`,
      only: ({ reason }) => !String(reason).includes("|"),
      own: true,
    })
  ),
  avf("VirtualMachineException: Persisted VM config is invalid", {
    sign: "avf-end",
    values: { reason: "CONFIGURATION" },
    says: "the framework cannot read the VM's stored configuration",
    own: true,
  }),
  avf("Microdroid({}) failed to start payload within {} secs timeout", {
    names: ["_", "seconds"],
    sign: "avf-end",
    values: { reason: "HANGUP" },
    says: ({ seconds }) => `Microdroid did not start its payload in ${seconds} s: virtmgr ends the VM (HANGUP)`,
    own: true,
  }),
  // Other programs say the same: the name of virtmgr's log is before it, and its error below.
  ...["virtmgr", "virtualizationmanager"].map((name) =>
    avf(`${name}%s: Failed to open "%s"`, {
      names: ["_", "path"],
      then: { format: "(os error %d)", names: ["errno"] },
      sign: "no-file",
      says: ({ path, errno }) => `${path} of the VM's configuration could not be opened: ${errno}`,
      only: ({ path }) => !String(path).startsWith("/dev/"),
      own: true,
    })
  ),
];
