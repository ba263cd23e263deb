// Programs of Debian that choose their code by the features of the CPU (HWCAP): OpenSSL's digests
// and ciphers, glibc's functions of memory and strings. They print the same on every architecture
// and in every tier, and the digests are those of another library.

import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { ARCHITECTURES, parseCpu } from "../../src/cpu/isa/cpus/cpus.ts";
import { hwcapLine } from "../../src/cpu/isa/cpus/features.ts";
import { type Tier, TIERS } from "../../src/model/plans/plan.ts";
import { PROMPT } from "../support/console.ts";
import { longTest } from "../support/long.ts";
import { Guest, ordinaryGuest } from "./guest.ts";

/** Virtual seconds of a boot, and of a command. */
const BOOT = 60, COMMAND = 60;
/** Lines of the data: the numbers from 1 on. */
const LINES = 100_000;
const KEY = "00112233445566778899aabbccddeeff", IV = "000102030405060708090a0b0c0d0e0f";

const DIGESTS = ["md5", "sha1", "sha256", "sha512", "sha3-256", "sm3", "blake2b512"];
const CIPHERS = [["aes-128-ctr", KEY], ["aes-256-cbc", KEY + KEY], ["chacha20", KEY + KEY], ["sm4-ctr", KEY], ["camellia-128-ctr", KEY]];
/** Substrings, searches and comparisons. */
const STRINGS =
  `mawk '{ s = s $1; if (length(s) > 4000) { n += index(s, "99"); m += s < t; t = s; s = "" } } END { print n, m }' /tmp/data`;

const COMMANDS = [
  ...DIGESTS.map((name) => `openssl dgst -r -${name} /tmp/data`),
  ...CIPHERS.map(([name, key]) => `openssl enc -${name} -K ${key} -iv ${IV} -in /tmp/data | openssl dgst -r -sha256`),
  STRINGS,
];

/** The text that each command prints. */
async function outputs(cpu: string, tier: Tier, { image, initrd }: { image: Uint8Array; initrd: Uint8Array }): Promise<string[]> {
  const guest = new Guest(image, initrd, [], 1 << 30, { cpu, tier }), found: string[] = [];
  await guest.expect(PROMPT, BOOT);
  await guest.command("grep -m 1 Features /proc/cpuinfo", new RegExp(`: ${hwcapLine(parseCpu(cpu).features)}$`, "m"), COMMAND);
  await guest.command(`seq 1 ${LINES} > /tmp/data; echo made`, /^made$/m, COMMAND);
  for (const command of COMMANDS) {
    const [, line] = await guest.command(`${command} > /tmp/out 2>&1; echo "<$(cat /tmp/out)>"`, /^<(.*)>$/m, COMMAND);
    found.push(line);
  }
  return found;
}

longTest(
  "OpenSSL and glibc of Debian print the same on every architecture and in every tier, whatever code they choose by HWCAP",
  async () => {
    const guest = await ordinaryGuest("trixie", ["openssl", "mawk"]), expected = await outputs("v8", "auto", guest);
    const data = Array.from({ length: LINES }, (_, index) => `${index + 1}\n`).join("");
    for (const [index, name] of ["md5", "sha1", "sha256", "sha512", "sha3-256"].entries()) {
      assert.equal(expected[index].split(" ")[0], createHash(name).update(data).digest("hex"), name);
    }
    const cipher = createCipheriv("aes-128-ctr", Uint8Array.fromHex(KEY), Uint8Array.fromHex(IV));
    const encrypted = createHash("sha256").update(cipher.update(data)).update(cipher.final()).digest("hex");
    assert.equal(expected[DIGESTS.length].split(" ")[0], encrypted);
    assert.ok(expected.slice(0, -1).every((line) => /^[0-9a-f]{32,128} /.test(line)), expected.join("\n"));
    const nothing = createHash("sha256").digest("hex");
    assert.ok(!expected.some((line) => line.startsWith(nothing)), "each cipher has encrypted something");
    assert.match(expected.at(-1)!, /^[1-9]\d* [1-9]\d*$/);
    for (const cpu of [...ARCHITECTURES.filter((architecture) => architecture !== "v8"), "a710", "sm8750", "mt6989"]) {
      assert.deepEqual(await outputs(cpu, "auto", guest), expected, cpu);
    }
    for (const tier of TIERS.filter((tier) => tier !== "auto")) assert.deepEqual(await outputs("max", tier, guest), expected, tier);
  },
);
