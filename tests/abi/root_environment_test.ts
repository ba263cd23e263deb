// The root VM's environment block and the CBOR in it.

import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeCbor, encodeCbor } from "../../src/abi/cbor.ts";
import {
  decodeRootEnvironment,
  encodeRootEnvironment,
  NO_CAP,
  ROOT_ENVIRONMENT_SIZE,
  type RootEnvironment,
} from "../../src/abi/root-environment.ts";

const environment: RootEnvironment = {
  runtime_ipa: 0x8048_0000,
  app_ipa: 0x8048_b000,
  app_heap_ipa: 0x804e_5000,
  app_heap_size: 0x3_b000,
  vcpu_capid: 2n,
  timer_freq: 62_500_000,
  gicd_base: 0x0800_0000,
  gicr_base: 0x080a_0000,
  resources: {
    cspace_capid: 0n,
    partition_capid: 1n,
    vcpu_capid: 2n,
    free_ranges: [[0x4000_0000, 0x4000_0000]],
    gicd_base: 0x0800_0000,
    gicr_stride: 0x2_0000,
    gicr_ranges: [[0x080a_0000, 8]],
    vic: 3n,
    vic_hwirq: [NO_CAP, NO_CAP, 4n],
    addrspace_capid: 0x335n,
    sve_supported: true,
    me_ipa_base: 0x8048_0000,
    ipa_offset: 0,
    me_capid: 0x336n,
    me_size: 0xa_0000,
    boot_core: 0,
    usable_cores: 0xff,
    hlos_vm_base: 0x4000_0000,
    hlos_vm_size: 0x4000_0000,
    entry_hlos: 0x4100_0000,
    hlos_dt_base: 0x40f0_0000,
    hlos_ramfs_base: 0x4080_0000,
    device_me_base: 0,
    device_me_size: 0x4000_0000,
    watchdog_supported: 0,
    device_me_capid: 0x337n,
    uart_address: 0x0900_0000,
    uart_me_capid: 0x338n,
  },
};

Deno.test("the environment block has the observed headers and decodes to what was encoded", () => {
  const bytes = encodeRootEnvironment(environment);
  const view = new DataView(bytes.buffer);
  assert.equal(bytes.length, ROOT_ENVIRONMENT_SIZE);
  assert.equal(new TextDecoder().decode(bytes.subarray(0, 4)), "RVME");
  assert.equal(view.getBigUint64(72, true), 0x58n);
  assert.equal(view.getBigUint64(80, true), 0x3fa8n);
  assert.equal(new TextDecoder().decode(bytes.subarray(0x58, 0x5c)), "DEMR");
  const decoded = decodeRootEnvironment(bytes);
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.environment, environment);
});

Deno.test("a block without signature or with a missing key is refused by name", () => {
  const blank = decodeRootEnvironment(new Uint8Array(ROOT_ENVIRONMENT_SIZE));
  assert.ok(!blank.ok && /RVME/.test(blank.problem));
  const { vic: _, ...rest } = environment.resources;
  const lacking = decodeRootEnvironment(encodeRootEnvironment({ ...environment, resources: rest as RootEnvironment["resources"] }));
  assert.ok(!lacking.ok && /key vic /.test(lacking.problem));
});

Deno.test("CBOR items decode to what was encoded", () => {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const item = fc.oneof(u64, fc.string(), fc.boolean(), fc.array(u64), fc.dictionary(fc.string(), u64, { noNullPrototype: false }));
  fc.assert(fc.property(item, (value) => {
    const decoded = decodeCbor(encodeCbor(value));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.value, typeof value === "object" && !Array.isArray(value) ? { __proto__: null, ...value } : value);
  }));
});

Deno.test("CBOR of any other form is refused without throwing", () => {
  for (
    const bytes of [[0x9f, 0xff], [0x20], [0x41, 0], [0xa1, 1, 1], [0x1b, 1], [0xf6], [1, 1], [
      0x9b,
      255,
      255,
      255,
      255,
      255,
      255,
      255,
      255,
    ]]
  ) {
    assert.ok(!decodeCbor(Uint8Array.from(bytes)).ok);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void decodeCbor(bytes)));
});
