/** Why a VM process does not start. */

/**
 * The VMM could not set a device up at power-on: it prints this and exits. Not a fault of the
 * model: the host may be out of interrupts or the device taken.
 */
export class RealizeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RealizeError";
  }
}

/** The VMM failed an assertion: abort(3) ends its process. The message is the assertion. */
export class VmmAbort extends Error {
  constructor(assertion: string) {
    super(assertion);
    this.name = "VmmAbort";
  }
}
