/** How an error crosses from a worker to main and stays the kind of error it was. */
import { type InputPlace, InvariantError, UsageError } from "../../base/errors.ts";

/** An error as plain data: comlink and worker_threads keep neither class nor own fields. */
interface Failure {
  readonly failure: true;
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly place?: InputPlace;
  readonly hint?: string | undefined;
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) {
    return { failure: true, name: "Error", message: String(error), stack: "" };
  }
  const { name, message, stack = "" } = error;
  if (!(error instanceof UsageError)) return { failure: true, name, message, stack };
  return { failure: true, name, message, stack, place: error.place, hint: error.hint };
}

/** `api` with everything it throws made into data that `errorOf` understands. */
export function failing<Api extends object>(api: Api): Api {
  const guarded = Object.entries(api).map(([name, method]) => [
    name,
    async (...args: unknown[]): Promise<unknown> => {
      try {
        return await method.apply(api, args);
      } catch (error) {
        throw failureOf(error);
      }
    },
  ]);
  return Object.fromEntries(guarded) as Api;
}

/** The error that `thrown` was in `worker`; the message tells which worker that is. */
export function errorOf(thrown: unknown, worker: string): Error {
  const { name, message, stack, place, hint } = isFailure(thrown) ? thrown : failureOf(thrown);
  if (name === "UsageError") {
    return new UsageError(message, {
      ...(place !== undefined && { place }),
      ...(hint !== undefined && { hint }),
    });
  }
  const error =
    name === "InvariantError"
      ? new InvariantError(`${worker}: ${message}`)
      : new Error(`${worker}: ${name}: ${message}`);
  // Where it happened is on the worker's stack, not on main's.
  error.stack = `${error.name}: ${error.message}\n${stack.split("\n").slice(1).join("\n")}`;
  return error;
}

function isFailure(thrown: unknown): thrown is Failure {
  return typeof thrown === "object" && thrown !== null && "failure" in thrown;
}
