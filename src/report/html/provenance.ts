/** Where a result came from, so that it can be had again. */
import { formatNs } from "../../base/units.ts";
import type { Provenance, RunResult } from "../../run/result.ts";
import { sortedEntries } from "../natural-order.ts";
import { html } from "./markup.ts";
import type { Section } from "./page.ts";
import { type Row, table } from "./table.ts";

function again({ scenario, engine, seed }: Provenance): string {
  return `vfio-cosim run ${scenario} --engine ${engine} --seed ${seed}`;
}

export function provenanceSection({ provenance, durationNs, schema }: RunResult): Section {
  const { version, scenario, scenarioHash, engine, seed, kernel, options, machine } = provenance;
  const rows: Row[] = [
    ["scenario", scenario],
    ["scenario hash", html`<code>${scenarioHash}</code>`],
    ["seed", `${seed}`],
    ["engine", engine],
    ["kernel", kernel],
    ...sortedEntries(options).map(([key, value]): Row => [key, `${value}`]),
    ["ran for", formatNs(durationNs)],
    ["vfio-cosim", version],
    ["schema", schema],
  ];
  if (machine !== null) {
    rows.push(
      ["machine", `${machine.cpus} \u00d7 ${machine.cpuModel}`],
      ["platform", `${machine.os}/${machine.arch}, Node ${machine.node}`],
    );
  }
  const body = html`${table([], rows, { left: [0, 1] })}
<p class="note">To have it again: <code>${again(provenance)}</code>${
    machine === null ? " gives the same bytes." : " measures again; figures will differ."
  }</p>`;
  return { id: "provenance", title: "Provenance", body };
}
