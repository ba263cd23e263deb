// Travel between objects: the objects that the selected row names, the screens that show them, and
// the way back.

import { type AppServices, selectedRow } from "../services/app-services.ts";
import { screenOf } from "../../actions/screen-table.ts";
import { linksOf, placeOf, type ScreenPlace } from "../../look/links.ts";
import { MemoryPane } from "../../panes/memory/memory-pane.ts";
import { MenuOverlay } from "../overlays/overlay.ts";
import { isFiltered } from "../../panes/pane.ts";
import { fieldsOverlay, VerdictOverlay } from "../overlays/lines-overlay.ts";
import { isOf, nameOf, vcpuId, vcpuName, vmIn } from "../../../../model/queries/ids.ts";
import { isExactly } from "../../../../model/queries/filters/filter.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { TablePane } from "../../panes/table-pane.ts";
import { TreePane } from "../../panes/overview/tree-pane.ts";
import type { RowOf, Selected } from "../../../../model/queries/table.ts";
import { DIAGNOSES, VMS } from "../../../../model/queries/tables.ts";
import type { GroupHandlers } from "../../actions/action-handlers.ts";

/** Links of a row that its menu offers. */
const OFFERED_LINKS = 20;

/** A place to come back to. */
interface Visit {
  readonly screen: string;
  readonly pane: string;
  readonly id: string | undefined;
}

/** The ways between the objects of an application. */
export class Navigation {
  readonly #back: Visit[] = [];
  readonly #forward: Visit[] = [];

  readonly handlers = {
    "object.go": () => this.go(),
    "object.back": () => this.#travel(this.#back, this.#forward),
    "object.forward": () => this.#travel(this.#forward, this.#back),
    "object.references": () => this.#references(),
    "object.inspect": () => this.#inspect(),
    "object.why": () => this.#why(),
  } satisfies GroupHandlers;

  constructor(readonly app: AppServices) {}

  /** Goes to what the selected row names; where that is several objects, one is chosen. */
  go(): void {
    const selected = selectedRow(this.app);
    if (!selected) return;
    const { row } = selected, { windows } = this.app;
    const inner = windows.screen.opens?.(windows.focus);
    if (inner) return windows.focusOn(inner);
    const links = this.#links(selected);
    if (links.length === 0) return this.#inspect();
    if (links.length === 1) return this.jump(links[0]);
    const items = links.slice(0, OFFERED_LINKS).map((id) => ({ label: id, run: () => this.jump(id) }));
    this.app.show(new MenuOverlay(`from ${row.id} to`, items));
  }

  /** Goes to an object. */
  jump(id: string): void {
    const place = placeOf(id);
    if (!place) return this.app.say(`no screen shows ${id}`);
    this.#leave();
    this.#forward.length = 0;
    this.#goTo(place);
  }

  /** Shows the events that name the selected object. */
  #references(): void {
    const { windows } = this.app;
    const selected = selectedRow(this.app);
    if (!selected) return;
    const { id } = selected.row;
    this.#leave();
    windows.show(screenOf("ev").key);
    const events = windows.screen.panes[0];
    if (events instanceof TablePane) {
      events.setFilter(`"${id}"`);
      windows.focusOn(events);
    }
  }

  /** Shows the fields of the selected row. */
  #inspect(): void {
    const { windows, asker, changed } = this.app;
    const fields = windows.screen.panes.find(({ name }) => name === "fields");
    if (fields) return windows.focusOn(fields);
    const selected = selectedRow(this.app);
    if (!selected) return;
    const place = placeOf(selected.row.id);
    if (place && place.screen !== windows.screen.key) return this.jump(selected.row.id);
    if (!isOf("vm", selected.row.id)) return this.app.show(fieldsOverlay(selected));
    // The tree knows less of a VM than the list of VMs.
    asker.ask({ table: VMS.name, args: { filter: isExactly("id", selected.row.id) } }).then((answer) => {
      const [row] = rowsOf(VMS, answer);
      this.app.show(fieldsOverlay(row ? { table: VMS, row } : selected));
      changed();
    });
  }

  /**
   * Shows the verdict on a VM that is not healthy; otherwise goes to why something of the selected
   * object was refused, or says for what it waits.
   */
  #why(): void {
    const { asker, changed } = this.app;
    const selected = selectedRow(this.app);
    if (!selected) return;
    const { row } = selected;
    if (typeof row.why === "string") return this.jump(row.why);
    if (!isOf("vm", row.id)) return this.#refusalOf(selected);
    asker.ask({ table: "diagnose", args: { filter: isExactly("id", row.id) } }).then((answer) => {
      const [diagnosis] = rowsOf(DIAGNOSES, answer);
      if (!diagnosis || diagnosis.healthy) return this.#refusalOf(selected);
      this.#showVerdict(diagnosis);
      changed();
    });
  }

  #showVerdict(diagnosis: RowOf<typeof DIAGNOSES>): void {
    const id = diagnosis.next?.split(" ").find((word) => placeOf(word));
    // A failed VM has its chain of operations there.
    if (id !== undefined && isOf("why", id) && diagnosis.verdict === "failed") return this.jump(id);
    this.app.show(new VerdictOverlay(diagnosis, id === undefined ? undefined : { id, go: () => this.jump(id) }));
  }

  #refusalOf({ row }: Selected): void {
    const { asker, say, changed } = this.app;
    if (typeof row.finding === "string") return say(`${row.id} ${row.finding}`, "warn");
    if (typeof row.waits === "string" && row.waits) return say(`${row.id} waits for ${row.waits}`);
    asker.ask({ table: "why", args: { filter: `"${row.id}"`, limit: 1 } }).then(({ rows }) => {
      if (rows[0]) this.jump(rows[0].id);
      else say(`nothing about ${row.id} was refused`);
      changed();
    });
  }

  #links(selected: Selected): string[] {
    const { windows, tree } = this.app;
    if (windows.focus !== tree) return linksOf(selected);
    // From the tree: a vCPU to its screen, a VM to its first vCPU; a device is shown with its
    // counters.
    const { id } = selected.row;
    if (isOf("dev", id)) return [];
    return [isOf("vm", id) ? vcpuId(vcpuName(nameOf(id), 0)) : id];
  }

  #here(): Visit {
    const { screen, focus } = this.app.windows;
    return { screen: screen.key, pane: focus.name, id: focus.selection?.row.id };
  }

  #leave(): void {
    this.#back.push(this.#here());
  }

  #travel(from: Visit[], to: Visit[]): void {
    const visit = from.pop();
    if (!visit) return this.app.say("nothing to go to");
    to.push(this.#here());
    this.#goTo(visit);
  }

  #goTo({ screen, pane, id }: ScreenPlace | Visit): void {
    const { windows, console, questions } = this.app;
    windows.show(screen);
    const target = windows.screen.panes.find(({ name }) => name === pane);
    if (!target) return;
    windows.focusOn(target);
    if (id === undefined) return;
    if (target === console) console.show(vmIn(id) ?? "");
    else if (target instanceof TablePane || target instanceof TreePane || target instanceof MemoryPane) {
      if (isFiltered(target) && target.filterText && !target.shows(id)) target.setFilter("");
      target.select(id);
    }
    questions.ask(target);
  }
}
