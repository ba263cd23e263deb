import { asCapId, asPa } from "../../../src/machine/abi/numbers.ts";
import assert from "node:assert/strict";
import { CALL_SHAPES, HypercallCaller } from "../../../src/machine/abi/hypercall-caller.ts";
import { type HypercallArguments, HYPERCALLS } from "../../../src/machine/abi/hypercalls.ts";
import type { NativeVcpu } from "../../../src/machine/abi/native-guest.ts";
import { callByList, registersWith } from "../../support/listed-call.ts";

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** A vCPU that notes the calls and gives these results. */
function vcpuWith(results: readonly bigint[]): { vcpu: NativeVcpu; made: bigint[][] } {
  const made: bigint[][] = [];
  const hvc = (number: number, ...args: bigint[]) => {
    made.push([BigInt(number), ...args]);
    return results;
  };
  const call: NativeVcpu["call"] = (number, registers) => callByList(hvc, number, registers);
  return { vcpu: { hvc, call } as Partial<NativeVcpu> as NativeVcpu, made };
}

Deno.test("every call has a method of its name that puts each argument into its register", () => {
  for (const [name, { number, arguments: kinds }] of Object.entries(HYPERCALLS)) {
    if (name === "hypervisor_identify") continue;
    const { vcpu, made } = vcpuWith([0n]);
    const calls = new HypercallCaller();
    calls.vcpu = vcpu;
    // In reverse: register order is the table's, not the caller's.
    const written = Object.entries(kinds).map(([argument, kind], index) => [argument, kind === "bool" ? true : BigInt(index + 1)] as const);
    const narrow = new Set(["u16", "u32"]);
    const args = Object.fromEntries(
      written.map(([argument, value], index) => [argument, narrow.has(Object.values(kinds)[index]) ? Number(value) : value]).reverse(),
    );
    if (name === "vcpu_run") made.push([BigInt(number), ...CALL_SHAPES[name]().encode(args as HypercallArguments<"vcpu_run">)]);
    else (calls as unknown as Record<string, (args: unknown) => void>)[name](args);
    const registers = Object.values(kinds).map((kind, index) =>
      kind === "res0" ? 0n : kind === "res1" ? ALL_ONES : kind === "bool" ? 1n : BigInt(index + 1)
    );
    // Absent arguments are zero.
    assert.deepEqual([made.length, ...made[0]], [1, BigInt(number), ...registers.slice(0, made[0].length - 1)], name);
    assert.ok(registers.slice(made[0].length - 1).every((value) => value === 0n), name);
  }
});

Deno.test("words of 32 bits are unsigned, and numbers of 64 bits whole", () => {
  const donated = { options: 0x8000_0000 | 1, from: asCapId(1n), to: asCapId(2n), offset: 2 ** 40, size: 0x1000 };
  assert.deepEqual(CALL_SHAPES.memextent_donate().encode(donated), [0x8000_0001n, 1n, 2n, 1n << 40n, 0x1000n]);
});

Deno.test("results are read by name, as the table has them", () => {
  const { vcpu } = vcpuWith([0n, 240n, 1n]);
  const calls = new HypercallCaller();
  calls.vcpu = vcpu;
  const { error, size, not_empty } = calls.msgqueue_receive({ msgqueue: asCapId(0n), buffer: 0x1000, buf_size: 240 });
  assert.deepEqual([error, size, not_empty], [0, 240, true]);
  const { vcpu_state, state_data_2, error: negative } = CALL_SHAPES.vcpu_run().read(registersWith([0xffff_fffen, 5n, 0n, 0n, ALL_ONES]));
  assert.deepEqual([negative, vcpu_state, state_data_2], [-2, 5, ALL_ONES]);
  calls.vcpu = vcpuWith([1n, 2n, 3n, 4n]).vcpu;
  const { api_info, api_flags_0, api_flags_2 } = calls.hypervisor_identify();
  assert.deepEqual([api_info, api_flags_0, api_flags_2], [1n, 2n, 4n]);
});

Deno.test("names and types of arguments are the table's", () => {
  const donate: HypercallArguments<"memextent_donate"> = { options: 0, from: asCapId(0n), to: asCapId(0n), offset: 0, size: 0 };
  // @ts-expect-error a call has no other arguments
  const other: HypercallArguments<"object_activate"> = { cap: asCapId(0n), reserved: 0n };
  // @ts-expect-error none is left out
  const less: HypercallArguments<"doorbell_send"> = { doorbell: asCapId(0n) };
  // @ts-expect-error a size is not an address
  const vbase: HypercallArguments<"addrspace_configure_vmmio">["vbase"] = donate.size;
  // @ts-expect-error a physical address is not an IPA
  const ipa: HypercallArguments<"addrspace_configure_info_area">["ipa"] = asPa(0);
  // @ts-expect-error a word is not a capability
  const cap: HypercallArguments<"object_activate">["cap"] = 1n;
  assert.deepEqual([donate, other, less, vbase, ipa, cap].length, 6);
});

Deno.test("the Resource Manager and the host make no hypercall by position", async () => {
  for await (const path of sources(["src/machine/resource-manager", "src/machine/host"])) {
    assert.doesNotMatch(await Deno.readTextFile(path), /\.hvc\(|\bHypercall\b|\bHYPERCALLS\b/, path);
  }
});

async function* sources(folders: readonly string[]): AsyncGenerator<string> {
  for (const folder of folders) {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) yield* sources([`${folder}/${name}`]);
      else yield `${folder}/${name}`;
    }
  }
}
