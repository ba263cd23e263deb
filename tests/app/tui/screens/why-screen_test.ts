import assert from "node:assert/strict";
import { eventually } from "../../../support/eventually.ts";
import { roleOf } from "../../../../src/app/tui/terminal/color.ts";
import type { Query } from "../../../../src/model/queries/query.ts";
import type { Json } from "../../../../src/model/queries/table.ts";
import type { Books } from "../../../../src/app/tui/screens/books.ts";
import { phoneAnswer } from "../phone.ts";
import { Rig, settle } from "../rig.ts";

Deno.test("W31: the why screen shows who asked, chain, rule, values, shared errno and way out", async () => {
  const rig = new Rig();
  await rig.type("0");
  const shown = await rig.text();
  for (
    const part of [
      /asked by H host\/0 {2}at 12\.481 102 s/,
      /ioctl VM_START fd=7 +-22 EINVAL/,
      /` +o rpc MEM_RECLAIM handle=18 +11 MEM_INUSE/,
    ]
  ) {
    assert.match(shown, part);
  }
  for (const part of [/resource-manager 5\.4 {2}a parcel/, /holder +vm:rt/, /Way out[^]*vm:rt releases/]) assert.match(shown, part);
});

Deno.test("W34: a refusal by the Resource Manager says that no hypercall was made", async () => {
  const rig = new Rig();
  await rig.type("0");
  assert.match(await rig.text(), /` +\. no hypercall: refused before one was made/);
});

Deno.test("W35: an errno with several causes says how many", async () => {
  const rig = new Rig();
  await rig.type("0");
  assert.match(await rig.text(), /the driver returns EINVAL for 13 different causes/);
});

/** A book of one section, in a folder whose name tries to end the hyperlink. */
const BOOKS: Books = {
  section: (cited) =>
    Promise.resolve(cited === "resource-manager 5.4" ? `### 5.4 Parcels\n\n${"A borrower releases a parcel. ".repeat(20)}` : undefined),
  target: (cited) => `file:///books \x1b\\/${cited}.md`,
};

Deno.test("B shows the section that the rule cites, Esc returns", async () => {
  const rig = new Rig(120, 36, { books: BOOKS });
  await rig.type("0");
  await rig.lines();
  await rig.type("B");
  await settle();
  const shown = await rig.text();
  assert.match(shown, /resource-manager 5\.4 .*\n.*### 5\.4 Parcels/);
  assert.match(shown, /A borrower releases a parcel\. A borrower/);
  await rig.press("esc");
  assert.doesNotMatch(await rig.text(), /### 5\.4/);
  await rig.type("2");
  await rig.lines();
  await rig.type("B");
  assert.match(await rig.text(), /vcpu:debian\/0 cites no section of a book/);
});

Deno.test("a section that no book has is named with the command that lists the books", async () => {
  const rig = new Rig(120, 36, { books: { ...BOOKS, section: () => Promise.resolve(undefined) } });
  await rig.type("0");
  await rig.lines();
  await rig.type("B");
  await settle();
  assert.match(await rig.text(), /resource-manager 5\.4 is not in the books; el2 reference spec lists them/);
});

Deno.test("the cited section is a hyperlink in terminals that show them, and its target cannot end it", async () => {
  const frameOf = async (links: boolean) => {
    const rig = new Rig(120, 36, { books: BOOKS });
    rig.screen.links = links;
    await rig.type("0");
    await rig.lines();
    rig.screen.invalidate();
    return rig.frame();
  };
  const [plain, linked] = [await frameOf(false), await frameOf(true)];
  assert.ok(!plain.includes("\x1b]8;"));
  const sequences = [...linked.matchAll(/\x1b\]8;;([^\x1b]*)\x1b\\(?:\x1b\[[\d;]*m)*([^\x1b]*)/g)].map((
    [, target, text],
  ) => [target, text]);
  const ended = sequences.findIndex(([target]) => target === "");
  assert.equal(sequences.slice(0, ended).map(([, text]) => text).join(" "), "resource-manager 5.4");
  for (const [target] of sequences.slice(0, ended)) {
    assert.equal(target, "file:///books%20%1B\\/resource-manager%205.4.md");
  }
});

Deno.test("an operation that succeeded although one inside it was refused has no result in red", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "why") return answer;
    const rows = answer.rows.map((row) => {
      const [first, ...others] = row.chain as { readonly result: object }[];
      return { ...row, chain: [{ ...first, result: { code: 0, name: "OK" } }, ...others] };
    });
    return { ...answer, rows: rows as typeof answer.rows };
  };
  await rig.type("0");
  const lines = await rig.lines();
  const inkBefore = (text: string) => {
    const y = lines.findIndex((line) => line.includes(text)), x = lines[y].indexOf(text);
    return roleOf(rig.screen.cells(y)[x].foreground);
  };
  assert.equal(inkBefore("0 OK"), "ok");
  assert.equal(inkBefore("11 MEM_INUSE"), "bad");
});

/** A screen 0 whose refusal has other values. */
async function whyOf(width: number, height: number, values: Readonly<Record<string, Json>>): Promise<Rig> {
  const rig = new Rig(width, height);
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    return query.table === "why" ? { ...answer, rows: answer.rows.map((row) => ({ ...row, ...values })) } : answer;
  };
  await rig.type("0");
  return rig;
}

const asked = (rig: Rig): Query[] => rig.requests.flatMap((request) => request.kind === "query" ? [request.query] : []);

Deno.test("at 200x60 the object of the refusal is beside the answer: every field of its row, and actions on it", async () => {
  const rig = await whyOf(200, 60, {});
  assert.match(await rig.text(), /Object parcel:0x12 [^]*state +blocked[^]*borrowers +vm:debian rw accepted[^]*held_by +vm:rt/);
  assert.deepEqual(asked(rig).findLast(({ table }) => table === "mem.parcels"), {
    table: "mem.parcels",
    args: { filter: "id=parcel:0x12" },
  });
  await rig.keys("\t\t!");
  assert.match(await rig.text(), /reclaim it/);
});

Deno.test("in narrower terminals v shows the object instead of the answer", async () => {
  for (const [width, height] of [[120, 36], [80, 24]]) {
    const rig = await whyOf(width, height, {});
    assert.doesNotMatch(await rig.text(), /Object parcel/);
    await rig.keys("v");
    assert.match(await rig.text(), /Object parcel:0x12[^]*held_by +vm:rt/);
    assert.doesNotMatch(await rig.text(), /The chain/);
    await rig.keys("v");
    assert.match(await rig.text(), /The chain/);
  }
});

Deno.test("without an object, the requester is shown, or the VM that ended", async () => {
  const requester = await whyOf(200, 60, { object: "", asked_by: "vcpu:rt/0" });
  assert.match(await requester.text(), /Requester vcpu:rt\/0 [^]*wait +vcpu_wfi/);
  const ended = await whyOf(200, 60, { object: "", ended: "vm:rt" });
  assert.match(await ended.text(), /Object vm:rt /);
});

Deno.test("an object that is gone, or that no list has, is reported", async () => {
  assert.match(await (await whyOf(200, 60, { object: "parcel:0x99" })).text(), /parcel:0x99 does not exist any more\./);
  assert.match(await (await whyOf(200, 60, { object: "loan:0x3" })).text(), /No list has loan:0x3\./);
});

Deno.test("at 100x30 a refusal's requester and state are whole in the list, and a cut rule ends before the result", async () => {
  const rig = await whyOf(100, 30, { failed: false, rule: "a parcel that is mapped ".repeat(4) });
  const text = await rig.text();
  assert.match(text, /why:37 12\.481102 {2}H host {2}handled/);
  assert.match(text, /rule a parcel that is mapped .*~ failed here/);
});

Deno.test("the newest refusal that failed is selected at first, not one that was handled", async () => {
  const rig = new Rig();
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "why") return answer;
    return { ...answer, rows: [...answer.rows.map((row) => ({ ...row, id: "why:38", failed: false })), ...answer.rows] };
  };
  await rig.type("0");
  assert.match(await rig.text(), /- why:37 -/);
});

Deno.test("a narrow screen without refusals says so, and that they are awaited, in lines for screen readers, too", async () => {
  for (const [width, height] of [[80, 24], [120, 36]]) {
    const rig = new Rig(width, height);
    rig.held = ({ table }) => table === "why";
    rig.answer = (query) => ({ ...phoneAnswer(query), ...query.table === "why" && { rows: [] } });
    await rig.type("0");
    await eventually(() => rig.text(), (text) => /loading/.test(text));
    rig.held = () => false;
    await rig.type("10");
    for (const text of [await rig.text(), rig.app.linear().lines.join("\n")]) {
      assert.match(text, /Nothing was refused[^]*el2 inject makes one/, `${width}x${height}`);
    }
  }
});
