/** The scenarios that come with the package, and finding one by name or path. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { UsageError } from "../base/errors.ts";
import { didYouMean } from "./suggest.ts";

const LIBRARY = new URL("./library/", import.meta.url);

export interface LibraryEntry {
  readonly name: string;
  /** First line of the file's header comment. */
  readonly about: string;
}

export interface ScenarioText {
  /** What error messages call it. */
  readonly file: string;
  readonly text: string;
}

export function listLibrary(): LibraryEntry[] {
  return libraryNames().map((name) => {
    const text = readFileSync(new URL(`${name}.yaml`, LIBRARY), "utf8");
    return { name, about: /^#\s*(.*)/.exec(text)?.[1] ?? "" };
  });
}

function libraryNames(): string[] {
  return readdirSync(LIBRARY)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .sort();
}

/** A name without a slash or .yaml is the library's; anything else is a path. Throws UsageError. */
export function resolveScenario(nameOrPath: string): ScenarioText {
  const isPath = /[\\/]|\.ya?ml$/i.test(nameOrPath);
  if (!isPath) {
    const names = libraryNames();
    if (names.includes(nameOrPath)) {
      const path = fileURLToPath(new URL(`${nameOrPath}.yaml`, LIBRARY));
      return { file: `${nameOrPath}.yaml`, text: readFileSync(path, "utf8") };
    }
    const hint = `${didYouMean(nameOrPath, names) ?? ""} (a file needs its .yaml)`;
    throw new UsageError(`there is no scenario ${nameOrPath}`, { hint });
  }
  try {
    if (statSync(nameOrPath).isDirectory()) {
      throw new UsageError(`${nameOrPath} is a directory`, { hint: "name one of its .yaml files" });
    }
    return { file: nameOrPath, text: readFileSync(nameOrPath, "utf8") };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    const reason = code === "ENOENT" ? "there is no such file" : `cannot be read (${code})`;
    const hint = "vfio-cosim list shows the scenarios that come with it";
    throw new UsageError(`${nameOrPath}: ${reason}`, { hint });
  }
}
