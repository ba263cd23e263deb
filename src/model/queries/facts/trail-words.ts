// The words of evidence about translations, Device memory and starts of vCPUs.

import type { DeviceBecause } from "./exception-cause.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

export const DEVICE_WAYS_OUT: { readonly [B in DeviceBecause]: string } = {
  "stage-1-off": "turn the MMU on first, with the lock in Normal memory",
  "mair": "map it as Normal memory",
  "stage-2": "take memory that stage 2 maps as Normal",
};

/** An error of CPU_ON that is not about the MPIDR. */
export const ALREADY_ON = "ALREADY_ON";
/** MPIDRs that are named for the others. */
const MPIDRS_SHOWN = 4;
/** Why PSCI refuses to start a vCPU. */
export const startRefused = (status: string, mpidrs: readonly string[]) =>
  status === ALREADY_ON
    ? "it is on already"
    : `the VM's vCPUs have ${mpidrs.slice(0, MPIDRS_SHOWN).join(", ")}${mpidrs.length > MPIDRS_SHOWN ? " and so on" : ""}`;

const ASID_SHIFT = 48n, PAGE_SHIFT = 12n;
/** `store`: no TLBI has followed it. */
export type MissedBy = "cpu" | "asid" | "address" | "store";
/** The mistake in a TLBI, or in a store. */
export const MISSED: { readonly [M in MissedBy]: (by: string, operand: bigint) => string } = {
  "cpu": (by) => `reached ${by} alone`,
  "asid": (_, operand) => `named ASID ${operand >> ASID_SHIFT}, not the table's`,
  "address": (_, operand) => `was for address ${hex(BigInt.asUintN(64, operand << PAGE_SHIFT))}`,
  "store": (by, operand) => `of ${by} gave the valid entry another address (${hex(operand)}), and no TLBI has followed`,
};
export const MISSED_WAYS_OUT: { readonly [M in MissedBy]: string } = {
  "cpu": "its inner-shareable form (VAE1IS, VMALLE1IS) reaches all",
  "asid": "put the ASID of the table into bits 63:48, or use VAAE1IS",
  "address": "its operand has the address shifted right by 12",
  "store": "write 0 to the entry, then TLBI VAE1IS and DSB ISH, and then the new entry (break-before-make)",
};
