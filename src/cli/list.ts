/** `vfio-cosim list`: the scenarios that come with it, the schema, the figures of expectations. */
import { canonicalJson } from "../report/json.ts";
import { tableLines, wrap } from "../report/table.ts";
import { expectationNames } from "../scenario/expect-names.ts";
import { subjectFigures } from "../scenario/expect-subjects.ts";
import { listLibrary } from "../scenario/library.ts";
import { scenarioJsonSchema } from "../scenario/schema.ts";
import { EXIT_OK } from "./io.ts";
import type { AddCommand } from "./program.ts";

const ABOUT_WIDTH = 76;

interface ListFlags {
  readonly schema?: boolean;
  readonly figures?: boolean;
}

export const listCommand: AddCommand = (program, io, done) => {
  program
    .command("list")
    .description("list the scenarios that come with it")
    .option("--schema", "print the JSON Schema of scenario files instead, for editors")
    .option("--figures", "print the figures that expectations may use instead")
    .action(({ schema, figures }: ListFlags) => {
      if (schema === true) io.out(canonicalJson(scenarioJsonSchema()));
      else if (figures === true) io.out(twoColumns([...expectationNames(), ...subjectFigures()]));
      else io.out(twoColumns(listLibrary()));
      done(EXIT_OK);
    });
};

function twoColumns(entries: readonly { name: string; about: string }[]): string {
  const rows = entries.flatMap(({ name, about }) =>
    wrap(about, ABOUT_WIDTH).map((line, i) => [i === 0 ? name : "", line]),
  );
  return `${tableLines(rows, { indent: 0, left: [0, 1] }).join("\n")}\n`;
}
