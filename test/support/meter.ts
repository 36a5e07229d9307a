/** Storage for a device meter whose log and level tokens nobody else looks at. */
import { MeterStorage } from "../../host/device/meter.ts";
import { FateCounts } from "../../src/measure/fates.ts";
import { LevelTokens } from "../../src/shm/level-tokens.ts";
import { StampLogWriter, stampLogBytes } from "../../src/shm/stamp-log.ts";
import type { Clock } from "../../src/time/clock.ts";
import { VirtualClock } from "../../src/time/virtual-clock.ts";

export function meterStorage(rows: number, clock: Clock = new VirtualClock()): MeterStorage {
  const log = new StampLogWriter(new SharedArrayBuffer(stampLogBytes()), 0);
  const levelTokens = new LevelTokens(new SharedArrayBuffer(LevelTokens.bytes(rows)), 0, rows);
  return new MeterStorage(rows, new FateCounts(rows), clock, { log, levelTokens }, false);
}
