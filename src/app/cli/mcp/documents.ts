// Documents for agents, inside the program: the one file has no folder to read them from. Only `el2
// mcp` loads them.

import captures from "../../../../docs/captures.md" with { type: "text" };
import configuration from "../../../../docs/configuration.md" with { type: "text" };
import faultInjection from "../../../../docs/fault-injection.md" with { type: "text" };
import filtersAndVerdicts from "../../../../docs/filters-and-verdicts.md" with { type: "text" };
import glossary from "../../../../docs/glossary.md" with { type: "text" };
import goingBack from "../../../../docs/going-back.md" with { type: "text" };
import ownGuests from "../../../../docs/own-guests.md" with { type: "text" };
import scenarios from "../../../../docs/scenarios.md" with { type: "text" };
import snapshots from "../../../../docs/snapshots.md" with { type: "text" };
import why from "../../../../docs/tutorials/01-why.md" with { type: "text" };
import holdsPage from "../../../../docs/tutorials/02-who-holds-a-page.md" with { type: "text" };
import limits from "../../../../docs/tutorials/03-limits.md" with { type: "text" };
import hangs from "../../../../docs/tutorials/04-a-guest-hangs.md" with { type: "text" };
import interrupts from "../../../../docs/tutorials/05-interrupts.md" with { type: "text" };
import rpc from "../../../../docs/tutorials/06-rpc.md" with { type: "text" };
import boot from "../../../../docs/tutorials/07-boot.md" with { type: "text" };
import compare from "../../../../docs/tutorials/08-compare.md" with { type: "text" };
import gdb from "../../../../docs/tutorials/09-gdb.md" with { type: "text" };
import ci from "../../../../docs/tutorials/10-ci.md" with { type: "text" };
import workstation from "../../../../docs/workstation.md" with { type: "text" };

/** Markdown by path below docs/. */
export const DOCUMENTS: ReadonlyMap<string, string> = new Map(Object.entries({
  "workstation.md": workstation,
  "going-back.md": goingBack,
  "filters-and-verdicts.md": filtersAndVerdicts,
  "configuration.md": configuration,
  "scenarios.md": scenarios,
  "fault-injection.md": faultInjection,
  "snapshots.md": snapshots,
  "captures.md": captures,
  "own-guests.md": ownGuests,
  "glossary.md": glossary,
  "tutorials/01-why.md": why,
  "tutorials/02-who-holds-a-page.md": holdsPage,
  "tutorials/03-limits.md": limits,
  "tutorials/04-a-guest-hangs.md": hangs,
  "tutorials/05-interrupts.md": interrupts,
  "tutorials/06-rpc.md": rpc,
  "tutorials/07-boot.md": boot,
  "tutorials/08-compare.md": compare,
  "tutorials/09-gdb.md": gdb,
  "tutorials/10-ci.md": ci,
}));
