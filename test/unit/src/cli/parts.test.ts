/** Parts of commands: the status line, the doctor's findings, the text of a comparison. */
import { describe, expect, it } from "vitest";
import { conformText } from "../../../../src/cli/conform.ts";
import {
  clockFinding,
  coresFinding,
  floorFinding,
  memoryFinding,
  nodeFinding,
} from "../../../../src/cli/doctor.ts";
import type { Io } from "../../../../src/cli/io.ts";
import { StatusLine, statusText } from "../../../../src/cli/status.ts";
import type { Progress } from "../../../../src/run/result.ts";

const PROGRESS: Progress = {
  elapsedNs: 1.2e9,
  durationNs: 2.5e9,
  interrupts: 24_000,
  guests: [
    { name: "g1", state: "running" },
    { name: "g2", state: "booting" },
  ],
};

describe("the status line", () => {
  it("names a few guests and counts many", () => {
    expect(statusText(PROGRESS, 20_000)).toBe(
      "1.20 s of 2.50 s, 48%, 20.0k/s interrupts, g1 running, g2 booting",
    );
    const guests = Array.from({ length: 9 }, (_, i) => ({ name: `g${i}`, state: "running" }));
    expect(statusText({ ...PROGRESS, guests }, 0)).toMatch(/, 9 running$/);
  });

  it("is for terminals only, shows the rate since the last time, and is wiped", () => {
    const written: string[] = [];
    const io = (errIsTty: boolean): Io => ({
      out: () => {},
      err: (text) => void written.push(text),
      outIsTty: false,
      errIsTty,
      onInterrupt: () => () => {},
      exitNow: () => {},
    });
    new StatusLine(io(false)).show(PROGRESS);
    expect(written).toEqual([]);
    const line = new StatusLine(io(true));
    line.show(PROGRESS);
    line.show({ ...PROGRESS, elapsedNs: 2.2e9, interrupts: 25_000 });
    line.clear();
    line.clear();
    expect(written.length).toBe(3);
    expect(written[0]).toContain("20.0k/s");
    expect(written[1]).toContain("1.00k/s");
    expect(written[2]).toBe("\r\u001b[K");
  });
});

describe("the doctor", () => {
  it("says what to do about each thing that is not good", () => {
    expect(nodeFinding("v20.19.0").verdict).toBe("good");
    expect(nodeFinding("v22.1.0").verdict).toBe("good");
    expect(nodeFinding("v20.18.9")).toMatchObject({
      verdict: "bad",
      advice: "install Node 20.19 or later",
    });
    expect(coresFinding(8, 8).verdict).toBe("good");
    expect(coresFinding(2, 16)).toMatchObject({ found: "2 of 16 usable", verdict: "so-so" });
    expect(coresFinding(1, 1).advice).toContain("--engine virtual");
    expect(memoryFinding(2 ** 28, 2 ** 33).advice).toContain("about 6 guests");
    expect(floorFinding(null).verdict).toBe("so-so");
  });

  it("tells a coarse clock from a fine one", () => {
    let reads = 0;
    expect(clockFinding(() => reads++ * 40)).toMatchObject({
      found: "steps of 40 ns, a reading takes 40 ns",
      verdict: "good",
    });
    expect(clockFinding(() => Math.floor(reads++ / 100) * 1e6).verdict).toBe("so-so");
  });
});

describe("the comparison with recordings", () => {
  it("shows the operation and both answers", () => {
    const text = conformText({
      totals: { scripts: 2, ops: 1234, divergences: 1 },
      divergences: [
        { file: "h02.6.12.jsonl", line: 7, op: "set MSIX 0 1", field: "ret", expected: -1, got: 0 },
      ],
    });
    expect(text).toBe(
      [
        "h02.6.12.jsonl:7: set MSIX 0 1",
        "  ret: the kernel -1",
        "       here       0",
        "",
        "2 recordings, 1,234 operations: 1 divergence",
        "",
      ].join("\n"),
    );
  });
});
