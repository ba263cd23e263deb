// Screen 3: interrupts, and what is wrong with them.

import type { Line } from "./pane.ts";
import { inspector, listScreen } from "./list-screen.ts";
import type { ScreenModel } from "./screen-model.ts";
import { TablePane } from "./table-pane.ts";
import { TextPane } from "./text-pane.ts";

/** Its panes, and where they stand. */
export function irqScreen(): ScreenModel {
  const irqs = new TablePane({ name: "irqs", table: "irq.ls", title: "Interrupts" });
  const findings = new TextPane({
    name: "findings",
    title: () => ({ text: "Findings", right: [[{ text: "storms, and interrupts that cannot be delivered", role: "dim" }]] }),
    lines: () => {
      const found = irqs.rows.filter((row) => row.finding !== null).map((row): Line => ({
        text: `${row.id} ${row.finding}`,
        role: "bad",
      }));
      return found.length ? found : [{ text: "nothing is wrong with the interrupts shown", role: "dim" }];
    },
  });
  return listScreen("3", irqs, [findings, inspector("fields", irqs)], 0.6);
}
