// Prints how many bytes of V8's heap hot calls of native guests allocate, one JSON object. V8 needs
// `--expose-gc` and a young generation that holds them all.

import { HypercallCaller } from "../../../src/machine/abi/hypercall-caller.ts";
import { asCapId } from "../../../src/machine/abi/numbers.ts";
import type { NativeGuest } from "../../../src/machine/abi/native-guest.ts";
import { createHypervisor } from "../../../src/machine/hypervisor/create-hypervisor.ts";
import { createTestHypervisor } from "../hypervisor/fixture.ts";

const CSPACE = asCapId(0n), PARTITION = asCapId(1n);
const DEPTH_AND_SIZE = 240n << 16n | 2n;
/** Calls until V8 has compiled what they run, and calls that count. */
const WARM_UP = 20_000, COUNT = 5_000;

const { gc } = globalThis as unknown as { gc(): void };

/** Bytes per call. */
function measure(call: () => number): number {
  for (let index = 0; index < WARM_UP; index++) call();
  gc();
  const before = Deno.memoryUsage().heapUsed;
  for (let index = 0; index < COUNT; index++) call();
  return Math.round((Deno.memoryUsage().heapUsed - before) / COUNT);
}

const program: NativeGuest = {
  start(vcpu) {
    const calls = new HypercallCaller();
    calls.vcpu = vcpu;
    const msgqueue = calls.partition_create_msgqueue({ src_partition: PARTITION, cspace: CSPACE }).new_cap;
    calls.msgqueue_configure({ msgqueue, create_info: DEPTH_AND_SIZE });
    calls.object_activate({ cap: msgqueue });
    const doorbell = calls.partition_create_doorbell({ src_partition: PARTITION, cspace: CSPACE }).new_cap;
    calls.object_activate({ cap: doorbell });
    const receive = { msgqueue, buffer: 0x8051_0000, buf_size: 240 }, send = { doorbell, new_flags: 1n };
    console.log(JSON.stringify({
      msgqueue_receive: measure(() => calls.msgqueue_receive(receive).error),
      doorbell_send: measure(() => calls.doorbell_send(send).error),
    }));
  },
  virq() {},
  timer() {},
  runReturned() {},
  save: () => undefined,
  restore() {},
};

const { machine, options } = createTestHypervisor(1);
createHypervisor(machine, { ...options, resourceManager: () => program });
machine.run(1e6);
