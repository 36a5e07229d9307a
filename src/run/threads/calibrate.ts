/** Measures the floor of a run on its own workers, before their loops start. */
import { type Floor, floorOf } from "../../measure/calibration.ts";
import { createFloorMemory, type FloorMode } from "../../shm/floor.ts";
import type { GuestWorkerApi, HostWorkerApi } from "./api.ts";
import type { WorkerHandle } from "./worker-handle.ts";

const ROUNDS: Readonly<Record<FloorMode, number>> = { spin: 20_000, park: 1_000 };

/** Ping from the host worker, pong from a guest worker: the way an interrupt goes. */
export async function measureFloor(
  host: WorkerHandle<HostWorkerApi>,
  guest: WorkerHandle<GuestWorkerApi>,
): Promise<Floor> {
  const roundTrips = async (mode: FloorMode): Promise<Float64Array> => {
    const memory = createFloorMemory();
    const rounds = ROUNDS[mode];
    const [timed] = await Promise.all([
      host.call((api) => api.probe({ memory, side: "ping", mode, rounds })),
      guest.call((api) => api.probe({ memory, side: "pong", mode, rounds })),
    ]);
    return timed;
  };
  return floorOf({
    spinRoundTripsNs: await roundTrips("spin"),
    parkRoundTripsNs: await roundTrips("park"),
    clockNs: [await guest.call((api) => api.clockCost())],
  });
}
