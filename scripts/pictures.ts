// `deno task pictures`: makes the pictures and the cast of README and documents from real runs.

import { debianPictures, demoPictures, tourCast } from "./pictures/pictures.ts";
import { main } from "../src/cli/main.ts";

const folder = new URL("../docs/pictures/", import.meta.url);
for (const make of [demoPictures, debianPictures]) {
  for (const { file, svg } of await make()) await Deno.writeTextFile(new URL(file, folder), svg);
}
// The command gives up rights: it comes last.
Deno.exit(await main(tourCast(new URL("tour.cast", folder).pathname), new URL("../main.ts", import.meta.url)));
