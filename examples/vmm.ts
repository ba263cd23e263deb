// A VMM on el2's /dev/gunyah, as a program of about a page: makes a VM of the android14-6.1
// generation, runs it, and prints what it sends.
//
//     deno run --allow-read examples/vmm.ts
//
// Requests and structures are those of include/uapi/linux/gunyah.h. The guest is
// assets/guests/hello.bin; its devicetree says how it is made (gunyah-vm-config) and where its
// console is.

import { devicetree, HostMachine, node, writeDevicetree } from "../mod.ts";

const CREATE_VM = 0x4700, START = 0x4703, RUN = 0x4705;
const SET_USER_MEM_REGION = 0x40204701, SET_DTB_CONFIG = 0x40104702, ADD_FUNCTION = 0x40104704;
const FUNCTION_VCPU = 1;
const EXIT_MMIO = 1;

const BASE = 0x8000_0000, SIZE = 0x20_0000, DEVICETREE = 0x10_0000, DEVICETREE_SIZE = 0x4000;
const PL011 = 0x900_0000, FR = 0x18;

/** Fields of a structure, each with its width in bits, little endian. */
function struct(...fields: readonly (readonly [bits: 32 | 64, value: number])[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((size, [bits]) => size + bits / 8, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [bits, value] of fields) {
    if (bits === 32) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += bits / 8;
  }
  return bytes;
}

/** How the VM is made: one vCPU that we run, memory at BASE, a GIC, a PL011. */
function tree(): Uint8Array {
  const range = (...values: number[]) => values.flatMap((value) => [Math.floor(value / 2 ** 32), value % 2 ** 32]);
  return writeDevicetree(
    devicetree(node("", { "#address-cells": 2, "#size-cells": 2, "interrupt-parent": 1, compatible: "linux,dummy-virt" }, [
      node("chosen", { bootargs: "ticks=1", "stdout-path": "/pl011@9000000" }),
      node("memory", { device_type: "memory", reg: range(BASE, SIZE) }),
      node("cpus", { "#address-cells": 1, "#size-cells": 0 }, [
        node("cpu@0", { device_type: "cpu", compatible: "arm,armv8", reg: 0, "enable-method": "psci" }),
      ]),
      node("psci", { compatible: "arm,psci-1.0", method: "hvc" }),
      node("timer", { compatible: "arm,armv8-timer", interrupts: [1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4] }),
      node("intc@8000000", {
        ...{ compatible: "arm,gic-v3", "#interrupt-cells": 3, "interrupt-controller": true, phandle: 1 },
        reg: range(0x800_0000, 0x1_0000, 0x80a_0000, 0x2_0000),
      }),
      node("pl011@9000000", { compatible: ["arm,pl011", "arm,primecell"], reg: range(PL011, 0x1000), interrupts: [0, 1, 4] }),
      node("gunyah-vm-config", { "#address-cells": 2, "#size-cells": 2, "image-name": "example", "os-type": "linux" }, [
        node("memory", { "base-address": range(BASE) }),
        node("interrupts", { config: "/intc@8000000" }),
        node("vcpus", { config: "/cpus", affinity: "proxy" }),
        node("vdevices", {}),
      ]),
    ])),
  );
}

/** Runs the guest and gives back what it printed. */
export function runGuest(image: Uint8Array): string {
  const host = new HostMachine({ device: "v14", memory: 64 << 20 });
  /** A result that is no error, or the reason of the error. */
  const must = (what: string, result: number): number => {
    if (result < 0) throw new Error(`${what}: errno ${-result}: ${host.reason?.text ?? ""}`);
    return result;
  };
  const scratch = host.mapAnonymous(4096);
  const call = (what: string, fd: number, code: number, bytes: Uint8Array): number => {
    host.write(scratch, bytes);
    return must(what, host.ioctl(fd, code, scratch));
  };

  const vm = must("CREATE_VM", host.ioctl(must("open", host.open("/dev/gunyah")), CREATE_VM));
  const memory = must("mmap", host.mapAnonymous(SIZE, true));
  host.write(memory, image);
  host.write(memory + DEVICETREE, tree());
  call("SET_USER_MEM_REGION", vm, SET_USER_MEM_REGION, struct([32, 0], [32, 7], [64, BASE], [64, SIZE], [64, memory]));
  call("SET_DTB_CONFIG", vm, SET_DTB_CONFIG, struct([64, BASE + DEVICETREE], [64, DEVICETREE_SIZE]));
  host.write(scratch + 64, struct([32, 0]));
  const vcpu = call("ADD_FUNCTION", vm, ADD_FUNCTION, struct([32, FUNCTION_VCPU], [32, 4], [64, scratch + 64]));
  const run = must("mmap of the vCPU", host.map(vcpu, 4096));
  must("START", host.ioctl(vm, START));

  let printed = "";
  for (;;) {
    must("RUN", host.ioctl(vcpu, RUN));
    const exit = new DataView(host.read(run, 40).buffer);
    if (exit.getUint32(8, true) !== EXIT_MMIO) return printed;
    const offset = Number(exit.getBigUint64(16, true)) - PL011, write = exit.getUint8(36) !== 0;
    if (write && offset === 0) printed += String.fromCharCode(exit.getUint8(24));
    // The flags of the PL011: nothing received, room to send. All other registers read as zero.
    if (!write) host.write(run + 24, struct([64, offset === FR ? 0x90 : 0]));
  }
}

if (import.meta.main) console.log(runGuest(await Deno.readFile(new URL("../assets/guests/hello.bin", import.meta.url))));
