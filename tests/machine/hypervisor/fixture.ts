// A hypervisor without AArch64 code: a core that only remembers what it is told, and callers that
// make hypercalls directly.

import { DEFAULT_CPU, parseCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { BASE_IDENTIFICATION } from "../../support/base-identification.ts";
import assert from "node:assert/strict";
import { ErrorCode, errorName } from "../../../src/machine/abi/errors.ts";
import { type HypercallName, HYPERCALLS } from "../../../src/machine/abi/hypercalls.ts";
import { Access, mapAttributes, memextentAttributes, MemoryType } from "../../../src/machine/abi/words.ts";
import { type Core, Stage2Flags, type Stage2Table, type Translation } from "../../../src/cpu/core/interface.ts";
import { PlainVcpuState } from "../../support/plain-vcpu-state.ts";
import { Stage2Pool } from "../../../src/cpu/core/memory/stage2.ts";
import { Machine } from "../../../src/machine/hardware/machine.ts";
import { CORE_REGION_SIZE, memoryMap, MINIMUM_PLATFORM_MEMORY } from "../../../src/machine/hardware/memory-map.ts";
import { Cspace } from "../../../src/machine/hypervisor/capabilities/cspace.ts";
import { DEFERRED } from "../../../src/machine/hypervisor/capabilities/hypercall-definition.ts";
import type { Entrance } from "../../../src/machine/hypervisor/scheduling/vcpu-services.ts";
import type { Hypervisor } from "../../../src/machine/hypervisor/hypervisor.ts";
import type { Stage2Source } from "../../../src/machine/hypervisor/memory/page-tables.ts";
import { Vcpu } from "../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { callBy } from "./native-call.ts";

/** Access RWX for EL0 and EL1, write-back memory; and access RW to a device. */
export const RWX_NORMAL = BigInt(mapAttributes(Access.RWX, Access.RWX, MemoryType.NormalWB));
export const RW_NORMAL = BigInt(mapAttributes(Access.RW, Access.RW, MemoryType.NormalWB));
export const R_NORMAL = BigInt(mapAttributes(Access.R, Access.R, MemoryType.NormalWB));

/** Attributes of an extent of any memory type. */
export const attributes = (access: number, type: number) => BigInt(memextentAttributes(access, 0, type));

/** map_flags bit 31. */
export const NO_SYNC = 0x8000_0000n;
export const PARTIAL = 0x8000_0001n;

/** PSTATE at power-on: EL1h, DAIF masked. */
const RESET_PSTATE = 0x3c5;

/** DFSC of level 3 faults. */
const TRANSLATION_FAULT = 0x07;
const PERMISSION_FAULT = 0x0f;
/** Bytes for page tables. */
const STAGE2_SIZE = 0x100_0000;

/** The hypervisor's calls to the core. */
export interface CoreLog {
  readonly invalidated: { stage2: number; ipa: number; size: number }[];
  readonly written: { pa: number; size: number }[];
}

/** A core that translates with the MMU off, by the stage-2 tables alone. */
function fakeCore(log: CoreLog, tables: ReadonlyMap<number, Stage2Table>): Core {
  const no = (what: string) => () => {
    throw new Error(`this core has no ${what}`);
  };
  return {
    cpu: parseCpu(DEFAULT_CPU),
    identification: BASE_IDENTIFICATION,
    createVcpu: () => new PlainVcpuState(RESET_PSTATE),
    releaseVcpu: () => {},
    progress: () => ({ monitor: undefined, stepped: "none" }),
    setProgress: () => {},
    run: no("run"),
    completeRead: no("completeRead"),
    storeValue: no("storeValue"),
    skip: no("skip"),
    takeException: no("takeException"),
    translate(vcpu, va, access): Translation {
      const ipa = Number(va), page = va < 1n << 36n ? tables.get(vcpu.stage2)?.lookup(ipa) : undefined;
      if (!page) return { ok: false, stage: 2, fsc: TRANSLATION_FAULT, ipa };
      const allowed = page.flags & (access === "read" ? Stage2Flags.Read : Stage2Flags.Write);
      return allowed ? { ok: true, pa: page.pa + ipa % 4096, ipa } : { ok: false, stage: 2, fsc: PERMISSION_FAULT, ipa };
    },
    invalidateStage2: (stage2, ipa, size) => void log.invalidated.push({ stage2, ipa, size }),
    memoryWritten: (pa, size) => void log.written.push({ pa, size }),
    flush: () => {},
  };
}

/** A machine with a hypervisor, the fake core beneath. */
export function createTestHypervisor(cpus = 1, memory = MINIMUM_PLATFORM_MEMORY) {
  const map = memoryMap(memory);
  const pages = map.wasmSize / 0x1_0000;
  const wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const log: CoreLog = { invalidated: [], written: [] };
  const tables = new Map<number, Stage2Table>();
  const machine = new Machine(wasm, map, fakeCore(log, tables), cpus);
  const pool = new Stage2Pool(wasm, CORE_REGION_SIZE - STAGE2_SIZE, STAGE2_SIZE);
  const stage2: Stage2Source = {
    get available() {
      return pool.available;
    },
    create() {
      const made = pool.create();
      if (made === undefined) return undefined;
      tables.set(made.id, made);
      const release = made.release.bind(made);
      made.release = () => {
        tables.delete(made.id);
        release();
      };
      return made;
    },
  };
  return { machine, log, options: { stage2, seed: 1 } };
}

/** A caller with its own cspace, capability 0 to that cspace and 1 to the root partition. */
export class TestGuest {
  readonly cspace: Cspace;
  readonly vcpu: Vcpu;

  constructor(readonly hypervisor: Hypervisor, maximum = 2048) {
    const partition = hypervisor.rootPartition;
    const cspace = partition.create(Cspace), vcpu = partition.create(Vcpu);
    assert.ok(typeof cspace === "object" && typeof vcpu === "object");
    this.cspace = cspace;
    this.vcpu = vcpu;
    cspace.configure(maximum);
    assert.equal(cspace.activate(), ErrorCode.OK);
    vcpu.attachments.attachCspace(cspace);
    assert.equal(cspace.insertMaster(cspace), 0n);
    const root = partition.holders[0];
    if (root) assert.equal(cspace.insertCopy(root.cspace, root.cspace.idOf(root), 0xffff_ffff), 1n);
    else assert.equal(cspace.insertMaster(partition), 1n);
  }

  /** A native call: X0..X7, or X1..X7 through the SMCCC entrance. */
  raw(number: number, args: readonly bigint[], entrance: Entrance = "native"): readonly bigint[] {
    const results = callBy(entrance, this.hypervisor.hypercalls, this.vcpu, number, args);
    assert.ok(results !== undefined && results !== DEFERRED, "the call has an answer");
    return results.values;
  }

  /** The name of the error that a call answers. */
  error(name: HypercallName, ...args: bigint[]): string {
    return errorName(this.raw(HYPERCALLS[name].number, withReserved(name, args))[0]);
  }

  /** X1.. of a call that must succeed. */
  ok(name: HypercallName, ...args: bigint[]): readonly bigint[] {
    const [error, ...rest] = this.raw(HYPERCALLS[name].number, withReserved(name, args));
    assert.equal(errorName(error), "OK", `${name}: ${JSON.stringify(this.hypervisor.trace.reasons.last, bigintText)}`);
    return rest;
  }

  /** The first result of a call that must succeed: a new capability, most often. */
  one(name: HypercallName, ...args: bigint[]): bigint {
    return this.ok(name, ...args)[0];
  }

  /** A new object in state INIT. */
  create(type: "cspace" | "addrspace" | "memextent" | "thread" | "doorbell" | "msgqueue" | "vic" | "vpm_group"): bigint {
    return this.one(`partition_create_${type}`, 1n, 0n);
  }

  /** An active extent of the root partition's memory. */
  extent(base: number, size: number, access: number = Access.RWX, type = 0): bigint {
    const cap = this.create("memextent");
    this.ok("memextent_configure", cap, BigInt(base), BigInt(size), attributes(access, type));
    this.ok("object_activate", cap);
    return cap;
  }

  /** An active derived extent. */
  derive(parent: bigint, offset: number, size: number, access: number = Access.RWX, type = 0): bigint {
    const cap = this.create("memextent");
    this.ok("memextent_configure_derive", cap, parent, BigInt(offset), BigInt(size), attributes(access, type));
    this.ok("object_activate", cap);
    return cap;
  }

  /** An active address space. */
  addrspace(vmid: number): bigint {
    const cap = this.create("addrspace");
    this.ok("addrspace_configure", cap, BigInt(vmid));
    this.ok("object_activate", cap);
    return cap;
  }
}

const bigintText = (_key: string, value: unknown) => typeof value === "bigint" ? `0x${value.toString(16)}` : value;

/** Fills in reserved arguments that are to be all ones. */
function withReserved(name: HypercallName, args: readonly bigint[]): bigint[] {
  const kinds = Object.values(HYPERCALLS[name].arguments);
  return kinds.map((kind, index) => args[index] ?? (kind === "res1" ? 0xffff_ffff_ffff_ffffn : 0n));
}
