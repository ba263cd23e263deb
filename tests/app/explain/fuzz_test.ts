// Logs of strangers: mutated in all ways that logs are damaged, they are read within bounds.

import assert from "node:assert/strict";
import { explain } from "../../../src/app/explain/explain.ts";
import { explanationText } from "../../../src/app/explain/text.ts";
import { scenarioOf } from "../../../src/app/explain/scenario.ts";
import { format, matchFormat } from "../../../src/app/explain/forms/format.ts";
import { FORMS } from "../../../src/app/explain/forms/messages.ts";
import { LONG } from "../../support/long.ts";
import { Random } from "../../support/random.ts";
import { ROOT } from "../../support/files.ts";
import { REPORTED } from "./logs.ts";
import { UNRELATED } from "./unrelated.ts";

const CASES = LONG ? 100_000 : 1500;
const encoder = new TextEncoder();
const TREES = ["02-node-without-parcel/bare.dtb", "30-large-devicetree/large.dtb"].map((name) =>
  Deno.readFileSync(new URL(`examples/mysteries/${name}`, ROOT))
);
const SEEDS: readonly Uint8Array[] = [
  ...REPORTED.flatMap(({ files }) => Object.values(files)).map((text) => encoder.encode(text.slice(0, 4000))),
  ...Object.values(UNRELATED).map((text) => encoder.encode(text)),
  ...FORMS.map(({ format }) => encoder.encode(`gunyah crosvm ${format}\n`)),
  ...TREES,
];

/** A damaged copy of some logs. */
function damaged(random: Random): Uint8Array {
  const pieces = Array.from({ length: 1 + random.below(3) }, () => random.pick(SEEDS));
  let bytes = Uint8Array.from(pieces.flatMap((piece) => [...piece.subarray(0, 4000)]));
  for (let count = random.below(8); count >= 0 && bytes.length > 0; count--) {
    const at = random.below(bytes.length), end = Math.min(bytes.length, at + 1 + random.below(60));
    switch (random.below(7)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1: // a torn line
        bytes = Uint8Array.from([...bytes.subarray(0, at), 10, ...bytes.subarray(at)]);
        break;
      case 2: // lines that were written into each other
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(end)]);
        break;
      case 3:
        bytes = bytes.slice(0, at);
        break;
      case 4:
        bytes = Uint8Array.from([...bytes.subarray(0, end), ...bytes.subarray(at)]);
        break;
      case 5: // a number without an end
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...encoder.encode("9".repeat(random.below(400))), ...bytes.subarray(at)]);
        break;
      default:
        bytes = Uint8Array.from([
          ...bytes.subarray(0, at),
          ...encoder.encode(random.pick(["\r\n", "\x1b[31m", "\ufeff", "−", "%s", "0x", ": -", "ioctl(", "_IOC("])),
          ...bytes.subarray(at),
        ]);
    }
  }
  return bytes;
}

Deno.test("damaged logs are explained without an exception, each line at its place, within bounds", async () => {
  const random = new Random(74);
  for (let index = 0; index < CASES; index++) {
    const bytes = damaged(random);
    try {
      const explanation = await explain([{ name: "log", bytes }]), text = explanationText(explanation);
      scenarioOf(explanation, "files", { files: () => undefined, ownFile: (path) => path });
      const lines = new TextDecoder().decode(bytes).split("\n").length;
      for (const { at } of explanation.lines) assert.ok(at.line >= 0 && at.line <= lines);
      assert.ok(explanation.lines.length <= 1000 && explanation.causes.length <= 8 && text.length < 2000 * (explanation.lines.length + 20));
    } catch (error) {
      throw new Error(`case ${index}: ${JSON.stringify(new TextDecoder().decode(bytes).slice(0, 2000))}`, { cause: error });
    }
  }
});

Deno.test("a line of one word without an end, a thousand times over, takes time by its length", () => {
  const many = format("Failed to %s parcel %d: %d");
  assert.equal(matchFormat(many, "Failed to ".repeat(400_000)), undefined);
});

Deno.test("what is not read is said, with its place: long lines, more lines than are kept, bytes that are not text", async () => {
  const long = encoder.encode(`x\n${"gunyah ".repeat(2000)}\nmisc gunyah: Failed to start VM: -19\n`);
  assert.deepEqual((await explain([{ name: "a.log", bytes: long }])).notes, [
    "a.log:2 is longer than 4096 characters: only those are read, as of each such line",
  ]);
  const many = encoder.encode(Array.from({ length: 1200 }, (_, index) => `gunyah-wdt: probe of w failed with error E${index}A\n`).join(""));
  const { lines, notes } = await explain([{ name: "b.log", bytes: many }]);
  assert.deepEqual([lines.length, notes], [1000, ["200 more lines would be explained; these are the first 1000"]]);
  assert.deepEqual((await explain([{ name: "c.bin", bytes: new Uint8Array(5000) }])).notes, ["c.bin is neither a text nor a devicetree"]);
});
