// Links to places of a recorded run: a key copies one to what is shown, the screens open at the one
// that the user has named, and go to others.

import type { AppServices } from "../services/app-services.ts";
import type { Navigation } from "./navigation.ts";
import { SCREENS } from "../../actions/screen-table.ts";
import { placeOf } from "../../look/links.ts";
import { type FilteredPane, isFiltered } from "../../panes/pane.ts";
import { TablePane } from "../../panes/table-pane.ts";
import { hintAt, LINK, type LinkedScreens, linkText, NOT_RECORDED, readLink, shownPlace } from "../../../../model/commands/link.ts";
import type { GivenOf } from "../../../../model/commands/argument.ts";
import type { PlaceOfRun } from "../../../../model/queries/move.ts";
import type { GroupHandlers } from "../../actions/action-handlers.ts";
import { hintText } from "../../../../kit/support/text/hint.ts";
import { isTold, problemOf, problemText } from "../../../../kit/support/problem.ts";
import { pathFromHere } from "../../../../kit/support/files/named-file.ts";
import { node } from "../../../../kit/support/node-modules.ts";

/** Values of a link that is made, with the file of its run. */
type Given = GivenOf<typeof LINK.args>;

/** Services that links use. */
interface LinkServices extends AppServices {
  /** With the absolute path of the file that the run is in, if it is in one. */
  readonly state: { readonly recording: string | undefined };
  /** The session's name, and the address of the page that shows the run, in a browser. */
  readonly options: { readonly title: string; readonly address?: string };
  readonly texts: { copy(text: string, said?: string): void };
  readonly navigation: Pick<Navigation, "jump">;
  /** Moves the session to a place of its run. */
  travel(to: PlaceOfRun): void;
}

export class RunLinks {
  readonly handlers = { "copy.link": () => void this.copy(this.#here) } satisfies GroupHandlers;

  constructor(readonly app: LinkServices) {}

  /**
   * Goes to the place of a link to this run, and shows its screen and row. A wrong link is said.
   * @param fragment the part after `#`
   */
  follow(fragment: string): void {
    const { title } = this.app.options;
    try {
      const { to, ...screens } = readLink(`${title}#${fragment}`, (path) => path === title).place;
      if (to !== undefined) this.app.travel(to);
      this.open(screens);
    } catch (error) {
      if (!isTold(error)) throw error;
      this.app.say(problemText(problemOf(error)), "bad");
    }
    this.app.changed();
  }

  /** Shows the screen and the row of a link; without a filter, the screen's own ends. */
  open({ screen, select, filter }: LinkedScreens): void {
    const { windows, navigation, say } = this.app, key = SCREENS.find(({ name }) => name === screen)?.key;
    if (key !== undefined) {
      windows.show(key);
      if (filter === undefined) this.#filtered?.setFilter("");
    }
    if (select !== undefined) {
      if (key === undefined || placeOf(select)?.screen === key) navigation.jump(select);
      else if (windows.focus instanceof TablePane) windows.focus.select(select);
    }
    const pane = this.#filtered;
    if (filter === undefined) return;
    if (!pane) return say(`/${filter}: nothing on this screen can be filtered`, "bad");
    windows.focusOn(pane);
    pane.setFilter(filter);
    if (pane.filterError) say(`/${filter}: ${problemText(pane.filterError.problem)}`, "bad");
  }

  /** The pane whose filter a link has. */
  get #filtered(): FilteredPane | undefined {
    const { screen, focus } = this.app.windows;
    return isFiltered(focus) ? focus : screen.panes.find(isFiltered);
  }

  /** Copies a link: to the place that is shown, if it names none. */
  async copy({ file, ...given }: Given): Promise<void> {
    const { app } = this, recording = file ?? app.state.recording;
    if (recording === undefined) return app.say(problemText(NOT_RECORDED), "bad");
    const to = given.to ?? shownPlace(await app.asker.ask({ table: "time.ls", args: {} })), place = { ...given, to };
    if (app.options.address === undefined) {
      const path = pathFromHere(node.path.resolve(recording));
      app.texts.copy(linkText(path, place), hintText(hintAt(path, place)));
    } else app.texts.copy(linkText(app.options.address, place));
    app.changed();
  }

  /** The screen, the row and the filter that are shown. */
  get #here(): LinkedScreens {
    const { screen, focus } = this.app.windows, id = focus.selection?.row.id;
    const select = id !== undefined && placeOf(id)?.screen === screen.key ? id : undefined;
    // A link opens on that pane.
    const filter = isFiltered(focus) && (select !== undefined || focus === this.#filtered) ? focus.filterText : "";
    return { screen: screen.entry.name, select, ...filter !== "" && { filter } };
  }
}
