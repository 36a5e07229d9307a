/** Random lives on a shared host: whatever happens, interrupts are conserved and nothing leaks. */
import { expect, test } from "vitest";
import { CHAOS, stressDocument } from "../../src/explore/stress-scenario.ts";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

for (let seed = 1; seed <= 6; seed++) {
  test(`eight guests with the lives of seed ${seed} leave a sound host`, async () => {
    const options = { seed, guests: 8, duration: 8e8, rate: 1000, chaos: CHAOS };
    const scenario = scenarioFromData(stressDocument(options), { engine: "virtual" });
    const result = await runScenario(scenario, { engine: "virtual" });
    for (const { check, ok, detail } of result.checks) expect(ok, `${check}: ${detail}`).toBe(true);
    expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
    expect(result.ledger.raised).toBeGreaterThan(0);
  });
}
