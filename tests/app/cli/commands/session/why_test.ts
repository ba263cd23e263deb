import assert from "node:assert/strict";
import { Place } from "../../place.ts";
import { onTerminal } from "../../program.ts";

Deno.test("W32: why last has chain, rule, object, values, way_out", async () => {
  await using place = new Place();
  await place.up("one");
  const healthy = await place.el2("why");
  assert.deepEqual([healthy.code, healthy.stdout], [
    0,
    "nothing has failed; 3 refusals were handled by their callers: el2 why --list\n",
  ]);
  const [{ vm }] = (await place.json("why", "--list")).data;
  const list = async (...words: string[]) => (await place.json("why", "--list", ...words)).data.length;
  assert.ok(await list("--vm", String(vm)) > 0 && await list("--vm", String(vm)) === await list("--vm", String(vm).replace(/^vm:/, "")));
  assert.ok(await list("--vm", String(vm), "--filter", "kind=refused without kind=ended within 1ms") > 0);
  assert.equal((await place.el2("why", "--list", "--vm", `nobody|vm=${vm}`)).code, 1);
  await place.printed("pong");
  // The host asks for a parcel that its borrower still has mapped.
  const [{ id: parcel }] = (await place.json("mem", "parcels")).data.filter(({ held_by }) => (held_by as string[]).length > 0);
  const refused = await place.el2("rpc", "send", "MEM_RECLAIM", `handle=${String(parcel).slice("parcel:".length)}`, "flags=0");
  assert.equal(refused.code, 1, refused.stdout + refused.stderr);
  const [reason] = (await place.json("why", "last")).data;
  const chain = reason.chain as { kind: string; name: string; result: { name: string } }[];
  assert.deepEqual(chain.map(({ kind, name, result }) => [kind, name, result.name])[0], ["rpc", "MEM_RECLAIM", "MEM_INUSE"]);
  assert.match(String(reason.section), /^resource-manager \d+(\.\d+)*$/);
  assert.equal(reason.object, parcel);
  assert.notDeepEqual(reason.values, {});
  assert.match(String(reason.way_out), /./);
  assert.notEqual(reason.way_out, null);
  assert.equal(reason.asked_by, "vm:host");
  const shown = await place.el2("why", reason.id as string);
  assert.match(shown.stdout, new RegExp(`^${reason.id} {2}t=`));
  // A VM is what it has asked for.
  assert.equal((await place.el2("why", "host")).stdout, (await place.el2("why", "--vm", "host")).stdout);
  assert.equal((await place.el2("why", "host", "--vm", "ping")).code, 2);
  const section = String(reason.section);
  assert.match(shown.stdout, new RegExp(`\\nread {5}el2 reference spec ${section}\\n$`));
  assert.equal((await place.el2("reference", "spec", ...section.split(" "))).code, 0);
  const env = { XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "" };
  const linked = await onTerminal({ ...env, FORCE_HYPERLINK: "1" }, "why", reason.id as string);
  // The one file has no folder of books to lead to.
  if (Deno.env.get("EL2_PROGRAM")) return assert.ok(!linked.includes("\x1b]8"));
  const [, target, text] = /\nread {5}\x1b\]8;;([\x21-\x7e]+)\x1b\\(.*)\x1b\]8;;\x1b\\\r?$/.exec(linked.trimEnd()) ?? assert.fail(linked);
  assert.deepEqual([text, await Deno.stat(new URL(target)).then(({ isFile }) => isFile)], [`el2 reference spec ${section}`, true]);
  assert.match(new URL(target).hash, new RegExp(`^#${section.split(" ")[1].replaceAll(".", "")}-`));
  assert.ok(!(await onTerminal({ ...env, NO_COLOR: "1", TMUX: "1" }, "why", reason.id as string)).includes("\x1b]8"));
});
