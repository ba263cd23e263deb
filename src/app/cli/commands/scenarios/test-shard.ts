// Which scenarios a part of a test run takes. Every part computes the same division from the same
// files and durations, so parts need not talk to each other.

import { BadArgument } from "../../common/values.ts";

/** A part: 1 to `count`. */
interface ShardChoice {
  readonly index: number;
  readonly count: number;
}

/** `--shard I/N`. */
export function parseShard(text: string): ShardChoice {
  const [, index, count] = /^(\d{1,5})\/(\d{1,5})$/.exec(text)?.map(Number) ?? [];
  if (!(index >= 1 && index <= count)) throw new BadArgument(`"${text}" is not a part`, "use I/N with I from 1 to N, such as 2/3");
  return { index, count };
}

/**
 * The files of part `index` of `count`, in the order given: the longest first goes to the part with
 * the least to do.
 * @param durations seconds by file; a file without takes their mean
 */
export function shardOf(files: readonly string[], index: number, count: number, durations: ReadonlyMap<string, number>): string[] {
  const known = files.flatMap((file) => durations.get(file) ?? []);
  const mean = known.length ? known.reduce((sum, time) => sum + time, 0) / known.length : 1;
  const jobs = files.map((_, place) => ({ place, time: durations.get(files[place]) ?? mean }));
  const parts = Array.from({ length: count }, () => ({ time: 0, places: [] as number[] }));
  for (const { place, time } of jobs.sort((a, b) => b.time - a.time || a.place - b.place)) {
    const least = parts.reduce((best, part) =>
      part.time < best.time || part.time === best.time && part.places.length < best.places.length ? part : best
    );
    least.time += time;
    least.places.push(place);
  }
  return parts[index - 1].places.sort((a, b) => a - b).map((place) => files[place]);
}
