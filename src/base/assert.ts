/** Assertions that stay on in production. */
import { InvariantError } from "./errors.ts";

/** Throws `InvariantError` unless `condition` holds. Build costly messages with a function. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantError(typeof message === "string" ? message : message());
}

/** Marks a branch that types say is unreachable. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`);
}
