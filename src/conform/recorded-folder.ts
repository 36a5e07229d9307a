/** Where a recording is, and which folder of the recordings its machine is that of. */
import { resolve } from "node:path";

/** Random scripts and those of irte/, amd/ and amd-alias/ tell by their names where they ran. */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^irte-\d+\./, "random-irte"],
  [/^(pool|lpi)-\d+\./, "random-pool"],
  [/^(q\d\d|prefill)-.*\.6\.12?\.jsonl$/, "irte"],
  [/^a\d\d-/, "amd"],
  [/^b\d\d-/, "amd-alias"],
];

export interface RecordingPlace {
  readonly file: string;
  /** The folder it is in, also where the path does not say so: `h00-info.6.1.jsonl`. */
  readonly folder: string;
  /** The folder that tells its machine: the same, unless the file was copied out of it. */
  readonly family: string;
}

export function placeOfRecording(path: string): RecordingPlace {
  const [file = "", folder = ""] = resolve(path).split(/[\\/]/).reverse();
  const named = FAMILIES.find(([pattern]) => pattern.test(file));
  return { file, folder, family: named?.[1] ?? folder };
}
