/** `retention:` of a scenario: the policy as a user writes it, as data, and in words. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { formatNs } from "../base/units.ts";
import { didYouMean } from "./suggest.ts";
import type { BoundedRetention, RetentionSpec } from "./types.ts";

/** Policies that take no parameters. */
export const PLAIN_RETENTION = [
  "cache",
  "free-on-teardown",
  "free-on-unset",
  "free-dynamic",
] as const;

/** What a string may be, beside a policy of one's own. */
export const RETENTION_NAMES = [...PLAIN_RETENTION, "bounded"] as const;

/** A policy that the program passes to runScenario, under NAME. */
const PROGRAM = /^own:(.+)$/;
const FILE = /[\\/]|\.[cm]?[jt]s$/;
const PERCENT = /^(\d{1,2}(?:\.\d{1,6})?) ?%$/;

/** True if `text` names a policy of one's own: a file, or one that the program has. */
function isOwn(text: string): boolean {
  return PROGRAM.test(text) || FILE.test(text);
}

const name = z
  .string()
  .superRefine((text, context) => {
    if ((RETENTION_NAMES as readonly string[]).includes(text) || isOwn(text)) return;
    const message = `"${text}" is not one of ${RETENTION_NAMES.join(", ")}, nor a file`;
    const hint = didYouMean(text, RETENTION_NAMES) ?? "a policy of your own is ./my-policy.js";
    context.addIssue({ code: "custom", message, params: { hint } });
  })
  .meta({
    description:
      "When an unused interrupt is given back: cache is the kernel's way; free-on-teardown, " +
      "free-on-unset, free-dynamic, bounded; or a file with a policy of your own, ./my-policy.js.",
    examples: [...RETENTION_NAMES],
  });

const watermark = z
  .string({
    error: ({ input }) => (typeof input === "number" ? `needs a %: ${input}%` : undefined),
  })
  .transform((text, context): number => {
    const share = PERCENT.exec(text.trim())?.[1];
    if (share !== undefined) return Number(share) / 100;
    const params = { hint: "write a share of the table that is to stay free, such as 5%" };
    context.addIssue({ code: "custom", message: `"${text}" is not a share`, params });
    return z.NEVER;
  })
  .meta({ description: "Idle irqs are reclaimed while less of the table is free: 5%." });

/** The value of `retention:`; `duration` is the schema of durations. */
export function retentionSchema(duration: z.ZodType<number, string>) {
  const bounded = z.strictObject({
    policy: z.literal("bounded"),
    cap: z
      .int()
      .min(0)
      .max(2048)
      .optional()
      .meta({ description: "Idle irqs a device may keep; default: any number." }),
    idleTimeout: duration
      .refine((ns) => ns > 0, { message: "must be above zero" })
      .optional()
      .meta({ description: "An irq idle for so long is freed; default: never." }),
    reclaim: z
      .boolean()
      .default(true)
      .meta({ description: "Idle irqs are taken for a device that would get none." }),
    watermark: watermark.optional(),
  });
  const consistent = bounded.refine((entry) => entry.reclaim || entry.watermark === undefined, {
    path: ["watermark"],
    message: "needs reclaim",
  });
  return z.union([name, consistent]);
}

export type RetentionEntry = z.output<ReturnType<typeof retentionSchema>>;

/** The entry as data; a file is found from `directory`, that of the scenario. */
export function expandRetention(entry: RetentionEntry, directory: string): RetentionSpec {
  if (typeof entry !== "string") return boundedOf(entry);
  if (entry === "bounded") return { policy: "bounded", reclaim: true };
  const plain = PLAIN_RETENTION.find((known) => known === entry);
  if (plain !== undefined) return plain;
  if (PROGRAM.test(entry)) return { policy: "own", name: entry, url: entry };
  const url = entry.startsWith("file:") ? entry : pathToFileURL(resolve(directory, entry)).href;
  return { policy: "own", name: entry, url };
}

function boundedOf(entry: Exclude<RetentionEntry, string>): BoundedRetention {
  const { policy, cap, idleTimeout, reclaim, watermark: share } = entry;
  return {
    policy,
    reclaim,
    ...(cap === undefined ? {} : { cap }),
    ...(idleTimeout === undefined ? {} : { idleTimeoutNs: idleTimeout }),
    ...(share === undefined ? {} : { watermark: share }),
  };
}

/** As a person reads it: `cache`, `bounded cap 8 timeout 100 ms`, `./my-policy.js`. */
export function retentionText(spec: RetentionSpec): string {
  if (typeof spec === "string") return spec;
  if (spec.policy === "own") return spec.name;
  const { cap, idleTimeoutNs, watermark: share, reclaim } = spec;
  return [
    "bounded",
    ...(cap === undefined ? [] : [`cap ${cap}`]),
    ...(idleTimeoutNs === undefined ? [] : [`timeout ${formatNs(idleTimeoutNs)}`]),
    ...(share === undefined ? [] : [`watermark ${percentText(share)}`]),
    ...(reclaim ? [] : ["no reclaim"]),
  ].join(" ");
}

/** As a scenario file has it. */
export function retentionYaml(spec: RetentionSpec): unknown {
  if (typeof spec === "string") return spec;
  if (spec.policy === "own") return spec.url;
  const { policy, cap, idleTimeoutNs, watermark: share, reclaim } = spec;
  return {
    policy,
    ...(cap === undefined ? {} : { cap }),
    ...(idleTimeoutNs === undefined ? {} : { idleTimeout: `${idleTimeoutNs}ns` }),
    ...(share === undefined ? {} : { watermark: percentText(share) }),
    reclaim,
  };
}

function percentText(share: number): string {
  return `${Number((100 * share).toFixed(6))}%`;
}
