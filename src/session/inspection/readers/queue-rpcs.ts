// Requests to a Resource Manager that is a separate program: el2 does not handle them, so they are
// read from its message queues and become the same operations in the trace.

import { RmError, rmErrorName } from "../../../machine/abi/rpc/errors.ts";
import { messageContent, rpcName } from "../../../machine/abi/rpc/messages/all.ts";
import { PacketType, Reassembler, type RpcMessage } from "../../../machine/abi/rpc/packet.ts";
import { MsgqueueRight } from "../../../machine/abi/rights.ts";
import type { TraceEvent } from "../../../machine/abi/trace.ts";
import type { Hypervisor, HypervisorObject, Operation } from "../../../machine/hypervisor/inspect.ts";
import { Vmid } from "./guest-names.ts";

/** A queue between a VM and the Resource Manager. */
interface Link {
  readonly vmid: number;
  /** It leads to the Resource Manager. */
  readonly asks: boolean;
  readonly reassembler: Reassembler;
}

/** Reads the queues of one machine. */
export class QueueRpcs {
  /** By the queue's id; null if its messages are not of this protocol's ends. */
  readonly #links = new Map<string, Link | null>();

  constructor(readonly hypervisor: Hypervisor) {}

  /** Listens from now on. Gives the function that ends it. */
  install(): () => void {
    return this.hypervisor.trace.listen(["msg"], (event) => this.#follow(event));
  }

  #follow({ name, vcpu, fields: { queue, bytes } }: TraceEvent): void {
    if (name !== "send" || typeof queue !== "string" || !(bytes instanceof Uint8Array)) return;
    const link = this.#linkOf(queue);
    if (!link) return;
    const taken = link.reassembler.accept(bytes);
    if (taken.done) this.#message(link, vcpu, taken.message);
  }

  #message({ vmid, asks }: Link, vcpu: string, message: RpcMessage): void {
    const { trace } = this.hypervisor;
    const { type, sequence, id } = message;
    const content = messageContent(message);
    const fields = content?.ok ? content.value.fields : {};
    // The trace keeps it with the operation, also for another machine at this place.
    const key = `queue-rpc ${vmid}:${sequence}`;
    if (type === PacketType.Request && asks) {
      trace.open({ vcpu, kind: "rpc", name: rpcName(id), fields: { from: vmid, sequence, ...fields }, parent: undefined, key }).messages = [
        message,
      ];
    } else if (type === PacketType.Reply && !asks) {
      const asked = trace.recallOperation(key), operation = asked === undefined ? undefined : trace.find(asked);
      if (operation?.name !== rpcName(id)) return;
      operation.messages = [...operation.messages ?? [], message];
      this.#answer(operation, content?.ok ? content.value.error ?? RmError.OK : RmError.OK, fields);
    } else if (type === PacketType.Notification && !asks) {
      trace.record(vcpu, "rpc", rpcName(id), { to: vmid, sequence, ...fields }, undefined, [message]);
    }
  }

  #answer(operation: Operation, code: number, fields: Operation["fields"]): void {
    const refused = code !== RmError.OK;
    if (refused) {
      const rule = `the Resource Manager answered ${rmErrorName(code)}; it runs as a guest program, so el2 does not know its rule`;
      operation.rule = { section: "resource-manager 2", rule, object: "", values: {} };
    }
    const expected = code === RmError.UNIMPLEMENTED || code === RmError.BUSY;
    this.hypervisor.trace.close(operation, {
      code,
      name: refused ? rmErrorName(code) : "OK",
      refused,
      ...refused ? { expected } : { fields },
    });
  }

  /** The two ends of a queue; looked up again until both have a holder. */
  #linkOf(id: string): Link | null {
    const known = this.#links.get(id);
    if (known !== undefined) return known;
    const { names, objects } = this.hypervisor;
    for (const object of objects) {
      if (object.type !== "msgqueue" || names.object(object) !== id) continue;
      const from = this.#holder(object, MsgqueueRight.Send), to = this.#holder(object, MsgqueueRight.Receive);
      if (from === undefined || to === undefined) return null;
      const asks = to === Vmid.ResourceManager;
      const isLink = from !== to && (asks || from === Vmid.ResourceManager);
      const link = isLink ? { vmid: asks ? from : to, asks, reassembler: new Reassembler() } : null;
      this.#links.set(id, link);
      return link;
    }
    return null;
  }

  /** The VM at an end: the Resource Manager, which has a capability to all, where no other is. */
  #holder(queue: HypervisorObject, right: number): number | undefined {
    const spaces = new Set(queue.holders.filter(({ rights }) => rights & right).map(({ cspace }) => cspace));
    const vmids = [...this.hypervisor.scheduler.vcpus].flatMap(({ attachments: { cspace, addressSpace } }) =>
      cspace && addressSpace && spaces.has(cspace) ? [addressSpace.vmid] : []
    );
    return vmids.find((vmid) => vmid !== Vmid.ResourceManager) ?? vmids[0];
  }
}
