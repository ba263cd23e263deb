// Devices of the command line: each option adds one.

import assert from "node:assert/strict";
import { devicesOf, netOption, shareOption } from "../../../../src/app/cli/options/devices.ts";
import { BadArgument } from "../../../../src/app/cli/common/values.ts";
import { Failure } from "../../../../src/app/cli/common/failure.ts";

const cards = (...texts: string[]) => {
  const parse = netOption().parseArg as (text: string, before: unknown) => unknown;
  return texts.reduce<unknown>((before, text) => parse(text, before), undefined) as Parameters<typeof devicesOf>[0]["net"];
};

Deno.test("each --net adds a card, and --forward is of the first that has the network", () => {
  const net = cards("none", "user,lan=yes", "user"), forward = ["2299:22"];
  assert.deepEqual(devicesOf({ net, forward }), [
    { kind: "net", backend: "none" },
    { kind: "net", backend: "user", lan: true, forward },
    { kind: "net", backend: "user" },
  ]);
  assert.deepEqual(devicesOf({ net: cards("user", "none"), forward }).map(({ backend }) => backend), ["user", "none"]);
  assert.throws(() => devicesOf({ net: cards("none", "none"), forward }), new Failure("--forward needs --net user"));
});

Deno.test("--share of a folder that is not there says so", () => {
  const parse = shareOption().parseArg as (text: string, before: undefined) => unknown;
  assert.throws(
    () => parse("/none/folder,ro", undefined),
    (error) => error instanceof BadArgument && error.message.startsWith("/none/folder: no such folder"),
  );
});
