// Values in messages about VMs: states, ids, kinds of authentication and of exit
// (docs/spec/resource-manager.md §4, §6.1).

import { asVmid, type Vmid as AnyVmid } from "../../numbers.ts";

/** vm_state. */
export const VmState = {
  None: 0,
  Init: 1,
  Ready: 2,
  Running: 3,
  Paused: 4,
  Load: 5,
  Auth: 6,
  InitFailed: 8,
  Exited: 9,
  Resetting: 10,
  Reset: 11,
} as const;
export type VmState = typeof VmState[keyof typeof VmState];

/** exit_type of VM_EXITED. */
export const ExitType = {
  VmExit: 0,
  PlatformOff: 1,
  PlatformReset: 2,
  PsciSystemReset2: 3,
  WatchdogBite: 4,
  SoftwareError: 5,
  AsyncHwError: 6,
  VmStopForced: 7,
} as const;
export type ExitType = typeof ExitType[keyof typeof ExitType];

/** exit_code: bits 31:16 of the first reason word; exit_flags are bits 15:0. */
export const ExitCode = { Normal: 0, SoftwareError: 1, UnknownError: 2, BusError: 3, DeviceError: 4 } as const;
/** exit_flags. */
export const ExitFlags = { Restart: 1, Reset2Is64Bit: 0x8000 } as const;

/** auth_type of VM_CONFIG_IMAGE. */
export const AuthType = { None: 0, Platform: 1, Android: 2 } as const;

export const AUTH_NAMES = ["none", "platform", "android"] as const;
export type AuthName = typeof AUTH_NAMES[number];

/** VMIDs with a special meaning. */
export const Vmid = { Hypervisor: asVmid(0), Hlos: asVmid(3), ResourceManager: asVmid(0xff), PeerDefault: asVmid(0xffff) } as const;
export type Vmid = AnyVmid;
