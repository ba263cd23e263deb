// `deno task pictures`: makes the pictures of README and documents from real runs.

import { answerPictures, debianPictures, demoPictures } from "./pictures/pictures.ts";

const folder = new URL("../docs/pictures/", import.meta.url);
for (const make of [demoPictures, answerPictures, debianPictures]) {
  for (const { file, svg } of await make()) await Deno.writeTextFile(new URL(file, folder), svg);
}
