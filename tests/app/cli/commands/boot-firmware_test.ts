import assert from "node:assert/strict";
import { el2Refused } from "../program.ts";

/** `b .` in each of two pages: firmware that does nothing. */
const IDLE = new Uint8Array(0x2000).fill(0x14);

Deno.test("firmware that cannot be used is a usage error that says why and what to do", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-firmware-" });
  try {
    const put = async (name: string, bytes: Uint8Array<ArrayBuffer>) => {
      await Deno.writeFile(`${folder}/${name}`, bytes);
      return `${folder}/${name}`;
    };
    const idle = await put("idle", IDLE);
    const cases: [RegExp, ...string[]][] = [
      [/boot: no image; name one, or use --firmware, or --set rm.kind=image with rm.runtime and rm.app/],
      [/firmware_vars needs firmware/, "Image", "--set", `host.firmware_vars=${idle}`],
      [/firmware .*absent: no such file/, "--firmware", `${folder}/absent`],
      [/firmware .*empty: the firmware is empty/, "--firmware", await put("empty", new Uint8Array(0))],
      [/firmware .*zeros: the firmware is empty/, "--firmware", await put("zeros", new Uint8Array(0x1000))],
      [
        /has 8 *KiB, the flash of variables 2 *MiB; make it with: truncate/,
        "--firmware",
        idle,
        "--set",
        `host.firmware_vars=${await put("small", IDLE)}`,
      ],
      [/firmware_vars .*absent: no such file; make it with: truncate/, "--firmware", idle, "--set", `host.firmware_vars=${folder}/absent`],
      [/the flash leaves only 60 *MiB of RAM; use a larger --memory/, "--firmware", idle, "--memory", "64MiB"],
      [/rtc "noon" is not a time; use "now" or for example/, "--firmware", idle, "--set", "host.rtc=noon"],
    ];
    for (const [message, ...args] of cases) {
      const { code, stdout, stderr } = await el2Refused(["boot", ...args]);
      assert.deepEqual([code, stdout], [2, ""], `${args}: ${stderr}`);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /\bat .*\.ts:\d+/, "no stack trace");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
