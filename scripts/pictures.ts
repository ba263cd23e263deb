// `deno task pictures`: makes the pictures of README and documents from real runs.

import { answerPictures, debianPictures, demoPictures, pagePictures } from "./pictures/pictures.ts";

const folder = new URL("../docs/pictures/", import.meta.url);
for (const make of [demoPictures, answerPictures, debianPictures]) {
  for (const { file, svg } of await make()) await Deno.writeTextFile(new URL(file, folder), svg);
}
for (const { file, png } of await pagePictures()) await Deno.writeFile(new URL(file, folder), png);
