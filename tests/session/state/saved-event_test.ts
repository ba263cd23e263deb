import assert from "node:assert/strict";
import { ArchiveError } from "../../../src/machine/hardware/archive.ts";
import { EventQueue } from "../../../src/machine/hardware/events.ts";
import { SavedEvent } from "../../../src/session/state/saved-event.ts";

Deno.test("a device's event that is cancelled does not occur, and a loaded one keeps its place among others", () => {
  const events = new EventQueue(), event = new SavedEvent(events), seen: string[] = [];
  event.schedule(5, () => seen.push("cancelled"));
  event.cancel();
  event.schedule(5, () => seen.push("saved"));
  const { place } = event;
  events.schedule(5, () => seen.push("later"));
  events.runDue(5);
  assert.deepEqual(seen, ["saved", "later"]);
  const restored = new EventQueue(), loaded = new SavedEvent(restored);
  restored.put({ at: 5, order: 2 }, () => seen.push("later"));
  loaded.load(place, true, () => loaded.schedule(7, () => seen.push("loaded")));
  assert.deepEqual(loaded.place, place);
  restored.runDue(5);
  assert.deepEqual(seen, ["saved", "later", "loaded", "later"]);
  assert.throws(() => loaded.load(undefined, true, () => {}), ArchiveError);
});
