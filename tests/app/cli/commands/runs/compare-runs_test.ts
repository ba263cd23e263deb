// `el2 compare-runs`: recordings of good and of bad runs, and files that say neither.

import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

Deno.test("compare-runs names the injected fault of the bad runs first, as text and as JSON", () =>
  inFolder(async (folder) => {
    const [good, bad] = [`${folder}/good.rec`, `${folder}/bad.rec`];
    const fault = ["--inject", "virq vm=pong every=4 -> lose"];
    for (const [file, ...options] of [[good], [bad, ...fault]]) {
      const { code, stderr } = await el2("run", "demo", "--turbo", "--headless", "--for", "20ms", "--record", file, ...options);
      // A message without its interrupt waits for ever.
      assert.equal(code, file === bad ? 1 : 0, stderr);
    }
    const text = await el2("compare-runs", good, bad, "--rows", "1");
    assert.equal(text.code, 0, text.stderr);
    assert.match(
      text.stdout,
      /^1 bad runs, 1 good runs\n {2}bad {3}1\/1 bad 0\/1 good .* rule injected inject:1[^]*--limit ROWS prints more\n$/,
    );
    const json = JSON.parse((await el2("compare-runs", "--good", good, "--bad", bad, "--limit", "1", "--json")).stdout);
    assert.deepEqual([json.good, json.bad, json.exact, json.features.length, json.features[0].kind], [1, 1, true, 1, "event"]);
    const equal = await el2("compare-runs", "--good", good, "--bad", good);
    assert.equal(equal.code, 1);
    assert.match(equal.stdout, /nothing occurs in all bad runs and in no good one/);
  }));

Deno.test("compare-runs refuses a file that is neither good nor bad, one kind alone, and what is not a recording", async () => {
  for (
    const [words, message] of [
      [["some.rec", "bad.rec"], /is "some\.rec" good or bad\? name it --good or --bad/],
      [["good1.rec"], /no bad run; give both/],
      [["--bad", "b.rec"], /no good run; give both/],
      [["--good", "no-such.rec", "--bad", "no-such.rec"], /no-such\.rec/],
    ] as const
  ) {
    const { code, stderr } = await el2("compare-runs", ...words);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  }
});
