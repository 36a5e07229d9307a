/** A run's result as a page: summary first, then what explains it, then where it came from. */
import { formatNs } from "../../base/units.ts";
import type { RunResult } from "../../run/result.ts";
import { DeviceColours } from "../plot/colours.ts";
import { holdersBySize } from "../plot/occupancy.ts";
import { guestsSection } from "./guests.ts";
import { latencySection } from "./latency.ts";
import { callsSection, ledgerSection } from "./ledger.ts";
import { pageHtml } from "./page.ts";
import { poolSection } from "./pool.ts";
import { provenanceSection } from "./provenance.ts";
import { retentionSection } from "./retention.ts";
import { summarySection } from "./summary.ts";

export function runPage(result: RunResult): string {
  const { scenario, seed, engine, kernel, options } = result.provenance;
  const { retention } = options;
  const colours = new DeviceColours(holdersBySize(result.pool.occupancy));
  const sections = [
    summarySection(result),
    poolSection(result, colours),
    retentionSection(result),
    guestsSection(result, colours),
    latencySection(result),
    ledgerSection(result),
    callsSection(result),
    provenanceSection(result),
  ];
  const settings = [
    `${engine} engine`,
    `seed ${seed}`,
    kernel,
    ...(retention === undefined ? [] : [`retention ${retention}`]),
    formatNs(result.durationNs),
  ];
  return pageHtml({
    title: scenario,
    subtitle: settings.join(" \u00b7 "),
    sections: sections.filter((section) => section !== null),
  });
}
