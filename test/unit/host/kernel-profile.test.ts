import { expect, it } from "vitest";
import { kernelProfile } from "../../../host/kernel-profile.ts";

it("6.12 adds MSI-X vectors one by one, 6.1 does not and checks every range first", () => {
  expect(kernelProfile("linux-6.12")).toMatchObject({
    dynamicMsix: true,
    strictRangeChecks: false,
  });
  expect(kernelProfile("linux-6.1")).toMatchObject({ dynamicMsix: false, strictRangeChecks: true });
});

it("both recorded kernels keep one INTx handler, since stable 6.1 took the fix (h13 h14)", () => {
  for (const name of ["linux-6.1", "linux-6.12"] as const) {
    expect(kernelProfile(name).persistentIntxHandler).toBe(true);
  }
});

it("only 6.12 refuses a negative ERR or REQ eventfd other than -1 (h11)", () => {
  expect(kernelProfile("linux-6.1").reqErrNegativeFdIsNoop).toBe(true);
  expect(kernelProfile("linux-6.12").reqErrNegativeFdIsNoop).toBe(false);
});
