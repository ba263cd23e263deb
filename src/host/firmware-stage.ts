// The early boot stage of a host with protected VMs: it donates their firmware to the resource manager, and then closes the door by the
// milestone (spec/resource-manager.md sections 3.12 and 4.6). No VM is created before that.

import type { NativeVcpu } from "../abi/native-guest.ts";
import { RmError, rmErrorName } from "../abi/rpc/errors.ts";
import type { Fields, Values } from "../abi/rpc/layout.ts";
import { decodeReply, encodeRequest, type RpcRequest } from "../abi/rpc/message.ts";
import { MEM_DONATE, MemType } from "../abi/rpc/messages/memory.ts";
import { FW_MILESTONE, FW_SET_VM_FIRMWARE } from "../abi/rpc/messages/platform.ts";
import { AuthType, Vmid } from "../abi/rpc/messages/vm.ts";
import { Access } from "../abi/words.ts";
import type { RmClient } from "./rm-client.ts";
import { wholePages } from "./vm-layout.ts";

/** Tag of the stage's requests; those of VMs are their places in the plan. */
export const FIRMWARE_STAGE_TAG = -1;

/** The request whose reply is awaited; `done` when there is none. */
export type FirmwareStep = "donate" | "set" | "milestone" | "done";

/** Gives the firmware away. */
export class FirmwareStage {
  step: FirmwareStep = "done";

  /**
   * @param place IPA in the host's memory, page aligned, whose pages the firmware takes with it.
   * @param problem is told what the resource manager refused; protected VMs will then not start.
   */
  constructor(
    readonly rm: RmClient,
    readonly firmware: Uint8Array,
    readonly place: number,
    readonly problem: (message: string) => void,
  ) {}

  begin(vcpu: NativeVcpu): void {
    const bytes = new Uint8Array(wholePages(this.firmware.length));
    bytes.set(this.firmware);
    if (!vcpu.write(this.place, bytes)) {
      this.problem("the place of the firmware is not writable memory of the host");
      return this.#milestone(vcpu);
    }
    this.#send(vcpu, "donate", MEM_DONATE, {
      mem_type: MemType.Normal,
      flags: 0,
      label: 0,
      acl: [{ vmid: Vmid.ResourceManager, rights: Access.RWX }],
      sgl: [{ address: BigInt(this.place), size: BigInt(bytes.length) }],
      attributes: [],
    });
  }

  /** The reply to the request in progress. True when the stage is over. */
  reply(vcpu: NativeVcpu, payload: Uint8Array): boolean {
    const { step } = this;
    if (step === "donate") {
      const reply = this.#read("donate", MEM_DONATE, payload);
      if (reply === undefined) this.#milestone(vcpu);
      else {
        const size = BigInt(this.firmware.length);
        this.#send(vcpu, "set", FW_SET_VM_FIRMWARE, { auth_type: AuthType.Android, handle: reply.handle, offset: 0n, size });
      }
    } else if (step === "set") {
      this.#read("set", FW_SET_VM_FIRMWARE, payload);
      this.#milestone(vcpu);
    } else if (step === "milestone") {
      this.#read("milestone", FW_MILESTONE, payload);
      this.step = "done";
    } else throw new Error("a reply for the firmware stage, which waits for none");
    return this.step === "done";
  }

  #milestone(vcpu: NativeVcpu): void {
    this.#send(vcpu, "milestone", FW_MILESTONE, {});
  }

  #send<Q extends Fields, R extends Fields>(vcpu: NativeVcpu, step: FirmwareStep, message: RpcRequest<Q, R>, value: Values<Q>): void {
    this.step = step;
    this.rm.request(vcpu, message.id, encodeRequest(message, value), FIRMWARE_STAGE_TAG);
  }

  /** The fields of a reply; undefined, and told, where it is a refusal. */
  #read<Q extends Fields, R extends Fields>(what: FirmwareStep, message: RpcRequest<Q, R>, payload: Uint8Array): Values<R> | undefined {
    const decoded = decodeReply(message, payload);
    const error = decoded.ok ? decoded.value.error : decoded.error;
    if (decoded.ok && error === RmError.OK) return decoded.value.value;
    this.problem(`firmware, ${what}: ${message.name}: ${rmErrorName(error)}`);
    return undefined;
  }
}
