// The Wireshark dissector against tshark: captures of the demo, whole and damaged.

import assert from "node:assert/strict";
import { tsharkCommand } from "../../../scripts/native-tools.ts";
import { RPC_MESSAGES, rpcName } from "../../../src/machine/abi/rpc/messages/all.ts";
import { decodeHeader, PacketType, RPC_HEADER_SIZE } from "../../../src/machine/abi/rpc/packet.ts";
import { dissectorLua } from "../../../src/session/export/dissector.ts";
import { once } from "../../../src/kit/support/values/once.ts";
import { readPackets } from "../../kit/formats/read-pcapng.ts";
import { el2Command } from "../../support/el2.ts";
import { Random } from "../../support/random.ts";

const HEADER = 16;

async function run([program, ...args]: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args], stdin: "null" }).output();
  const text = new TextDecoder().decode(stderr);
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${text}`);
  assert.doesNotMatch(text, /Lua/);
  return new TextDecoder().decode(stdout);
}

/** A capture of the demo's first 30 ms, and tshark with the dissector. */
const capturing = once(async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-dissector-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const recording = `${folder}/demo.rec`, capture = `${folder}/demo.pcapng`, script = `${folder}/el2.lua`;
  await run(el2Command("run", "--record", recording, "demo", "--headless", "--turbo", "--for", "30ms"));
  await run(el2Command("trace", "export", capture, "--recording", recording));
  await Deno.writeTextFile(script, await run(el2Command("trace", "dissector")));
  const command = await tsharkCommand();
  return { capture, tshark: async (...args: string[]) => await run([...command, "-X", `lua_script:${script}`, ...args]) };
});

const rows = (text: string) => text.trimEnd().split("\n").map((line) => line.split("\t"));

Deno.test("tshark decodes every packet of the demo's RPC, with fields, and pairs replies with their requests", async () => {
  const { tshark, capture } = await capturing();
  const packets = readPackets(await Deno.readFile(capture));
  const columns = ["frame.number", "gunyah.kind", "gunyah.queue", "rmrpc.id", "rmrpc.type", "rmrpc.sequence", "rmrpc.request_in"];
  const found = rows(await tshark("-r", capture, "-T", "fields", ...columns.flatMap((name) => ["-e", name]), "-e", "_ws.col.Info"));
  assert.equal(found.length, packets.length);
  /** Frames of requests by sequence number. */
  const asked = new Map<number, number>();
  let pairs = 0;
  packets.forEach(({ bytes }, index) => {
    const [frame, kind, , id, type, sequence, requestIn, info] = found[index];
    assert.equal(Number(frame), index + 1);
    assert.equal(Number(kind), bytes[1]);
    if (bytes[1] !== 1) return;
    const decoded = decodeHeader(bytes.subarray(HEADER));
    assert.ok(decoded.ok);
    const { header } = decoded;
    assert.deepEqual([Number(id), Number(type), Number(sequence)], [header.id, header.type, header.sequence]);
    assert.ok(info.includes(rpcName(header.id)), info);
    if (header.type === PacketType.Request) asked.set(header.sequence, index + 1);
    if (header.type !== PacketType.Reply) return;
    assert.equal(Number(requestIn), asked.get(header.sequence), `frame ${frame}`);
    pairs++;
  });
  assert.ok(pairs >= 20, `${pairs} replies`);
  const broken = await tshark("-r", capture, "-Y", "_ws.lua.error || rmrpc.short || rmrpc.lost || rmrpc.rest");
  // Pieces of a message are shown as bytes in their own frames, and as fields in its last one.
  assert.ok(rows(broken).every(([line]) => line === "" || / reply VM_GET_HYP_RESOURCES /.test(line)), broken);
  assert.ok(new Set(packets.map(({ bytes }) => bytes[1])).size === 3, "the demo has messages, RPC and doorbells");
});

Deno.test("tshark reads the values that were sent, in lists and in messages of several packets", async () => {
  const { tshark, capture } = await capturing();
  const names = ["rmrpc.mem_lend.acl.vmid", "rmrpc.mem_lend.acl.rights", "rmrpc.mem_lend.sgl.size"];
  const lent = rows(await tshark("-r", capture, "-Y", "rmrpc.mem_lend.label", "-T", "fields", ...names.flatMap((name) => ["-e", name])));
  assert.equal(lent.length, 3);
  assert.deepEqual(lent.map(([vmid]) => Number(vmid)), [0x80, 0x81, 0x82]);
  for (const [, rights, size] of lent) assert.deepEqual([Number(rights), Number(size)], [7, 0x10000]);
  const fields = ["-T", "fields", "-e", "rmrpc.vm_get_hyp_resources.reply.resources.count"];
  const counts = rows(await tshark("-r", capture, "-Y", "rmrpc.vm_get_hyp_resources.reply.resources.count", ...fields));
  assert.ok(counts.length >= 3 && counts.every(([count]) => Number(count) > 3), JSON.stringify(counts));
});

Deno.test("damaged packets end in a remark, never in an error of the dissector", async () => {
  const random = new Random(7);
  const { tshark, capture } = await capturing();
  const whole = await Deno.readFile(capture);
  const bytes = whole.slice();
  // Only bytes of packets are changed: the file's own structure is not what is tested.
  for (const packet of readPackets(bytes)) {
    if (packet.bytes[1] !== 1) continue;
    for (let change = 0; change < 3; change++) {
      packet.bytes[HEADER + 1 + random.below(packet.bytes.length - HEADER - 1)] = random.below(256);
    }
  }
  const damaged = `${capture}.damaged`;
  await Deno.writeFile(damaged, bytes);
  assert.equal((await tshark("-r", damaged, "-Y", "_ws.lua.error")).trim(), "");
});

Deno.test("the dissector has every message and every field that is declared", () => {
  const text = dissectorLua("1.2.3");
  assert.match(text, /captures of el2 1\.2\.3/);
  for (const { name } of RPC_MESSAGES.values()) assert.ok(text.includes(`{name="${name}",`), name);
  assert.ok(RPC_HEADER_SIZE === 8);
});
