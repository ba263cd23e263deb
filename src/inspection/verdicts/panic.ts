// A Linux kernel that has panicked: the function `panic` is on the stack of one of its CPUs, which
// needs no console and cannot be quoted. Its message is on the console, or in the kernel's log.

import { Pstate } from "../../core/interface.ts";
import type { Vcpu } from "../../hypervisor/inspect.ts";
import { guestReader, readNumber } from "../../symbols/unwind.ts";
import { placeIn } from "../../symbols/vm-symbols.ts";
import { readLog } from "../../linux/log.ts";
import { findReading } from "../linux/read-linux.ts";
import type { View } from "../readers/inspected.ts";

/** Where kernels are mapped. */
const KERNEL = 1n << 63n;
/** Frames that are looked at: a panic is not deep below what it calls. */
const FRAMES = 32;
/** The frame pointer, and a frame record's size: the caller's frame pointer and its address. */
const X29 = 29, RECORD = 16n, RETURN = 8n;
const MESSAGE = /Kernel panic - not syncing: (.*)/;

/** Whether a console's text has the words of a panic, which any program can print. */
export const showsPanic = (text: string) => MESSAGE.test(text);

/** Whether a vCPU executes `panic`, or a function that it has called. */
export function isPanicking(view: View, vcpu: Vcpu): boolean {
  const { registers } = vcpu, { symbols, hypervisor: { machine: { ram } } } = view.system;
  if (registers.pc < KERNEL || (registers.pstate & Pstate.ElMask) === 0) return false;
  const vm = view.vmNameOf(vcpu.addressSpace);
  // The kernel's symbols are learned by a question.
  if (symbols.nameOf(vm, registers.pc) === undefined) return false;
  const tables = symbols.known(vm), read = guestReader(symbols.core, ram, vcpu);
  let address = registers.pc;
  for (let count = 0, frame = registers.getX(X29); count < FRAMES; count++) {
    if (placeIn(tables, address)?.symbol.name === "panic") return true;
    const caller = readNumber(read, frame, Number(RETURN)), called = readNumber(read, frame + RETURN, Number(RECORD - RETURN));
    if (caller === undefined || called === undefined || caller <= frame) return false;
    // The call is before the address to which it returns.
    address = called - 4n;
    frame = caller;
  }
  return false;
}

/** The message of the last panic of a VM's kernel; null if it is nowhere. */
export function panicMessage(view: View, vcpu: Vcpu): string | null {
  const shown = view.system.consoles.tail(view.vmNameOf(vcpu.addressSpace));
  const life = shown.slice(Math.max(0, shown.lastIndexOf("Booting Linux on physical CPU"))).replaceAll("\r", "");
  const found = [...life.matchAll(new RegExp(MESSAGE, "g"))][0]?.[1];
  if (found !== undefined) return found;
  const reading = vcpu.addressSpace && findReading(view, vcpu.addressSpace);
  for (const { text } of reading ? readLog(reading) : []) {
    const [, logged] = MESSAGE.exec(text) ?? [];
    if (logged !== undefined) return logged;
  }
  return null;
}
