// The early boot stage of a host with protected VMs: it donates their firmware to the Resource
// Manager, and then closes the door by the milestone (docs/spec/resource-manager.md §3.12 and
// §4.6). No VM is created before that.

import { RmError, rmErrorName } from "../../abi/rpc/errors.ts";
import type { Fields, Values } from "../../abi/rpc/layout.ts";
import { decodeReply, encodeRequest, type RpcRequest } from "../../abi/rpc/message.ts";
import { MEM_DONATE, MemType } from "../../abi/rpc/messages/memory.ts";
import { FW_MILESTONE, FW_SET_VM_FIRMWARE } from "../../abi/rpc/messages/platform.ts";
import { AuthType, Vmid } from "../../abi/rpc/messages/vm.ts";
import { Access } from "../../abi/words.ts";
import type { HostServices } from "./host-guest.ts";
import { wholePages } from "../boards/layout.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** The request whose reply is awaited; `done` for none. */
export type FirmwareStep = "donate" | "set" | "milestone" | "done";

/** Gives the firmware away. Its state is `step` and `tag`. */
export class FirmwareStage {
  step: FirmwareStep = "done";
  /** Of that request. */
  tag = 0;

  /**
   * @param problem is called with refusals of the Resource Manager; protected VMs will then not
   * start.
   */
  constructor(readonly firmware: Uint8Array, readonly problem: (message: string) => void) {}

  begin(host: HostServices): void {
    const size = wholePages(this.firmware.length);
    // The pages go with it, for good.
    const ipa = host.kernel.memory.createContiguous(size / PAGE_SIZE)?.runs[0].ipa;
    if (ipa === undefined || !host.kernel.cpu.write(ipa, this.firmware)) {
      this.problem(`firmware: the host has no ${size} bytes of memory for it`);
      return this.#send(host, "milestone", FW_MILESTONE, {});
    }
    this.#send(host, "donate", MEM_DONATE, {
      mem_type: MemType.Normal,
      flags: 0,
      label: 0,
      acl: [{ vmid: Vmid.ResourceManager, rights: Access.RWX }],
      sgl: [{ address: BigInt(ipa), size: BigInt(size) }],
      attributes: [],
    });
  }

  /** The reply to the request in progress. True when the stage is over. */
  reply(host: HostServices, payload: Uint8Array): boolean {
    const { step } = this;
    if (step === "donate") {
      const reply = this.#read("donate", MEM_DONATE, payload);
      if (reply === undefined) this.#send(host, "milestone", FW_MILESTONE, {});
      else {
        const size = BigInt(this.firmware.length);
        this.#send(host, "set", FW_SET_VM_FIRMWARE, { auth_type: AuthType.Android, handle: reply.handle, offset: 0n, size });
      }
    } else if (step === "set") {
      this.#read("set", FW_SET_VM_FIRMWARE, payload);
      this.#send(host, "milestone", FW_MILESTONE, {});
    } else if (step === "milestone") {
      this.#read("milestone", FW_MILESTONE, payload);
      this.step = "done";
    } else throw new Error("a reply for the firmware stage, which waits for none");
    return this.step === "done";
  }

  #send<Q extends Fields, R extends Fields>(host: HostServices, step: FirmwareStep, message: RpcRequest<Q, R>, value: Values<Q>): void {
    this.step = step;
    this.tag = host.request(message.id, encodeRequest(message, value));
  }

  /** The fields of a reply; undefined, after a report, for a refusal. */
  #read<Q extends Fields, R extends Fields>(what: FirmwareStep, message: RpcRequest<Q, R>, payload: Uint8Array): Values<R> | undefined {
    const decoded = decodeReply(message, payload);
    const error = decoded.ok ? decoded.value.error : decoded.error;
    if (decoded.ok && error === RmError.OK) return decoded.value.value;
    this.problem(`firmware, ${what}: ${message.name}: ${rmErrorName(error)}`);
    return undefined;
  }
}
