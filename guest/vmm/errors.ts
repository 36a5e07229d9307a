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
