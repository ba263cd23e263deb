// Memory and instructions for a DAP client. References name the vCPU whose translation they mean
// (`threads.ts`).

import type { DebugProtocol } from "@vscode/debugprotocol";
import { rowsOf } from "../../../model/queries/query.ts";
import { CODE } from "../../../model/queries/tables.ts";
import { decodeBase64, encodeBase64 } from "../../../kit/support/values/base64.ts";
import { type Arguments, RequestError } from "./arguments.ts";
import type { DapTarget } from "./target.ts";
import type { Threads, VcpuAddress } from "./threads.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

/** Bytes of one access to memory, of one request, and instructions of one request. */
const ACCESS_MAX = 0x4000, MEMORY_MAX = 1024 * 1024, INSTRUCTIONS_MAX = 16_384;
const INSTRUCTION_SIZE = 4n;
/** After this many unmapped instructions, the rest is not asked for. */
const UNMAPPED_MAX = 64;

/** The memory of a machine that is debugged. */
export class Memory {
  /** @param current the vCPU that an address without a name means */
  constructor(readonly target: DapTarget, readonly threads: Threads, readonly current: () => number) {}

  async read(args: Arguments): Promise<object> {
    const { vcpu, space, address } = this.#place(args), count = args.number("count");
    if (count < 0 || count > MEMORY_MAX) throw new RequestError(`count is not between 0 and ${MEMORY_MAX}`);
    const bytes = new Uint8Array(count);
    let done = 0;
    while (done < count) {
      const size = Math.min(ACCESS_MAX, count - done);
      const answer = await this.target.ask({ kind: "read", vcpu, space, address: BigInt.asUintN(64, address + BigInt(done)), size });
      if (answer.kind !== "memory") break;
      bytes.set(answer.bytes, done);
      done += answer.bytes.length;
      if (answer.bytes.length < size) break;
    }
    return { address: hex(address), data: encodeBase64(bytes.subarray(0, done)), ...done < count && { unreadableBytes: count - done } };
  }

  async write(args: Arguments): Promise<object> {
    const { vcpu, space, address } = this.#place(args), bytes = bytesOf(args);
    for (let done = 0; done < bytes.length; done += ACCESS_MAX) {
      const part = bytes.subarray(done, done + ACCESS_MAX);
      const at = BigInt.asUintN(64, address + BigInt(done));
      const answer = await this.target.ask({ kind: "write", vcpu, space, address: at, bytes: part });
      if (answer.kind === "refused") throw new RequestError(answer.message);
    }
    return { bytesWritten: bytes.length };
  }

  async disassemble(args: Arguments): Promise<object> {
    const count = args.number("instructionCount");
    if (count < 0 || count > INSTRUCTIONS_MAX) throw new RequestError(`instructionCount is not between 0 and ${INSTRUCTIONS_MAX}`);
    const offset = BigInt(args.number("offset", 0)) + INSTRUCTION_SIZE * BigInt(args.number("instructionOffset", 0));
    const place = this.threads.place(args.text("memoryReference"), this.current());
    const name = this.threads.nameOf(place.vcpu);
    const instructions: DebugProtocol.DisassembledInstruction[] = [];
    for (let at = BigInt.asUintN(64, place.address + offset) & ~3n; instructions.length < count;) {
      const left = count - instructions.length;
      const answer = await this.target.query({ table: "code", args: { at: `${name}:${hex(at)}`, size: left } });
      // The client expects exactly the number of instructions that it asked for.
      const rows = answer.error === undefined ? rowsOf(CODE, answer) : [];
      for (const { address, word, text, symbol } of rows) {
        instructions.push({
          address,
          instruction: text,
          instructionBytes: word.slice(2).match(/../g)!.reverse().join(" "),
          ...symbol !== null && { symbol },
        });
      }
      at = BigInt.asUintN(64, at + INSTRUCTION_SIZE * BigInt(rows.length));
      if (rows.length === left) break;
      instructions.push(unmapped(at));
      at = BigInt.asUintN(64, at + INSTRUCTION_SIZE);
      if (rows.length === 0 && instructions.length >= UNMAPPED_MAX) {
        while (instructions.length < count) {
          instructions.push(unmapped(at));
          at = BigInt.asUintN(64, at + INSTRUCTION_SIZE);
        }
      }
    }
    return { instructions };
  }

  #place(args: Arguments): VcpuAddress {
    const place = this.threads.place(args.text("memoryReference"), this.current());
    return { ...place, address: BigInt.asUintN(64, place.address + BigInt(args.number("offset", 0))) };
  }
}

function unmapped(at: bigint): DebugProtocol.DisassembledInstruction {
  return { address: hex(at), instruction: "(not mapped)", presentationHint: "invalid" };
}

function bytesOf(args: Arguments): Uint8Array {
  // The reader of messages bounds the text.
  const data = args.longText("data");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(data) || data.length % 4 !== 0) throw new RequestError("data is not base64");
  return decodeBase64(data);
}
